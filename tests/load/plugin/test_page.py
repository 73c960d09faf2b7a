"""The changes to Locust's page, without a browser."""

import flask

from bench.load.plugin.page import whole_labels

OPTIONS = {"until": {"help_text": "as sure as 'p99 ± 5 %%', or \"1 %%\""}, "host": {"default_value": "http://a/%%20"}}


def test_the_form_says_percent_as_a_reader_knows_it() -> None:
    app = flask.Flask(__name__)
    page = "<html><head></head><script>window.templateArgs = {{ options|tojson }}</script></html>"
    app.add_url_rule("/", "locust.index", lambda: flask.render_template_string(page, options=OPTIONS))
    app.after_request(whole_labels)
    shown = app.test_client().get("/").text
    assert r"5 %\u0027, or \"1 %\"" in shown
    assert "http://a/%%20" in shown
