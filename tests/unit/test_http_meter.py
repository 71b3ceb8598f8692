"""Requests to an API are counted in the class of their time, and as failed where nothing good came back."""

from __future__ import annotations

from ludb.dialects.http.meter import Meter
from ludb.model.calls import LATENCIES
from ludb.service.noting import called_figure


def test_every_request_is_counted_in_the_class_of_its_time():
    """A class ends with its bound; what took longer than the last is counted behind it."""
    for at, bound in enumerate(LATENCIES):
        for seconds, place in ((bound * 0.99, at), (bound, at), (bound * 1.01, at + 1)):
            meter = Meter()
            meter.came(200, seconds, 0, 0)
            assert [number for number, count in enumerate(meter.told().latencies) if count] == [place], seconds
    assert len(Meter().told().latencies) == len(LATENCIES) + 1


def test_a_request_without_an_answer_counts_as_failed_as_an_error_of_the_server_does():
    meter = Meter()
    for status in (200, 404, 429, 500, 503, None, None, None):
        meter.came(status, 0.1, 0, 0)
    figure = called_figure(meter.told())
    assert (figure.count, figure.failed, figure.throttled) == (8, 5, 1)
