"""Memory of this process."""

from pathlib import Path

from device_bench.measure.memory import peak_memory, resident_memory


def test_the_peak_holds_what_is_resident():
    assert resident_memory() is None or 10**7 < resident_memory() <= peak_memory() < 10**12


def test_the_peak_without_proc(monkeypatch):
    monkeypatch.setattr("device_bench.measure.memory.STATUS", Path("/no/such/file"))
    assert resident_memory() is None
    assert 10**7 < peak_memory() < 10**12
