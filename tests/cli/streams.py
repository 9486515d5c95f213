"""What the tests of the command line read in its streams."""


def only_line(err):
    """The one line of an error, of which there is exactly one."""
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    return lines[0]
