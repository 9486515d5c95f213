import glint_edge


def test_every_public_name_resolves_to_itself():
    for name in glint_edge.__all__:
        assert getattr(glint_edge, name).__name__ == name
    assert set(glint_edge.__all__) == set(glint_edge._MODULE_OF)


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(glint_edge, "Nothing")
