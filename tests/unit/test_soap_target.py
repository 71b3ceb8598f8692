"""What leaves for a SOAP service is exactly the row; what comes back is known, refused, or honestly unclear."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest
from lxml import etree

from ludb.dialects.settings import Surroundings
from ludb.errors import ConfigError, UnitError
from ludb.model.calls import Answer
from ludb.targets.soap import SoapTarget
from ludb.testing.calls import act, make_call
from tests.unit import soap_service
from tests.unit.soap_service import OUTPUT, URN, SoapService, wsdl

VARIABLES = {"security.password": ("CRM_PASSWORD",), "url": ("CRM_URL",)}


@pytest.fixture
def service():
    served = SoapService()
    yield served
    served.end()


@pytest.fixture
def target(service, tmp_path):
    made = []

    def make(output=OUTPUT, described=None, variables=VARIABLES, **settings):
        (tmp_path / "crm.wsdl").write_text(described or wsdl(), encoding="utf-8")
        given = {
            "type": "soap", "url": service.url, "wsdl": "crm.wsdl", "retry_for": 5,
            "security": {"user": soap_service.USER, "password": soap_service.PASSWORD}, **settings,
        }  # fmt: skip
        around = Surroundings(tmp_path, tmp_path / "state", variables)
        made.append(SoapTarget("crm", SoapTarget.Settings.model_validate(given), around, {output.name: output}))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_every_value_travels_exactly_and_in_the_order_of_the_schema(service, target):
    """Decimals without an exponent, dates, bytes, nested lists; NULL members are left out."""
    row = {
        "contracts": [{"since": dt.date(2020, 2, 29), "number": "0001", "fee": Decimal("0.0000001")}, {"number": "<&>"}],
        "balance": Decimal("12345678901234567890.10"), "name": "Zoë", "born": dt.date(1950, 1, 1), "seal": b"\x00\xff",
        "status": None, "c": 2**70, "number": 7,
    }  # fmt: skip
    made = target(call_id_header=f"{{{URN}}}CallId", idempotency_header="Idempotency-Key")
    call = make_call(made, row)
    assert act(made, "send", call).answer is Answer.DONE
    headers, text = service.seen[-1]
    sent = etree.fromstring(text.encode()).find(f".//{{{URN}}}CreateCustomer")
    assert [(etree.QName(one).localname, one.text) for one in sent if not len(one)] == [
        ("name", "Zoë"), ("balance", "12345678901234567890.10"), ("number", "7"), ("born", "1950-01-01"),
        ("seal", "AP8="), ("c", str(2**70)), ("externalId", call.id),
    ]  # fmt: skip
    contracts = [[one.text for one in contract] for contract in sent.iter(f"{{{URN}}}contracts")]
    assert contracts == [["0001", "0.0000001", "2020-02-29"], ["<&>"]]
    assert etree.fromstring(text.encode()).findtext(f".//{{{URN}}}CallId") == call.id
    assert (headers["Idempotency-Key"], headers["SOAPAction"]) == (call.id, f'"{URN}#CreateCustomer"')
    assert soap_service.PASSWORD not in call.request.body, "what is journaled holds no credential"
    assert (made.metered().requests, made.metered().answers) == ({"2xx": 1}, {"done": 1})


def test_a_service_that_recognises_keys_answers_no_call_with_the_look_up_before_it(service, target):
    """And no look-up with the call: whoever asks what became of a call would never hear of it."""
    service.honour_keys()
    made = target(call_id_header=f"{{{URN}}}CallId")
    call = make_call(made, {"name": "c"})
    assert act(made, "probe", call).answer is Answer.ABSENT
    assert act(made, "send", call).answer is Answer.DONE
    assert act(made, "probe", call).answer is Answer.DONE
    assert len(service.objects()) == 1


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"name": "Ada", "colour": "red"}, r"\$\.colour is not known to"),
        ({"balance": "much"}, r"\$\.balance is no decimal"),
        ({"number": "7.5"}, r"\$\.number is no int"),
        ({"name": ["a"]}, r"\$\.name is a LIST, and must be one value"),
        ({"contracts": [{"fee": 1}]}, r"\$\.contracts\[0\]\.number is missing or NULL"),
        ({"contracts": ["x"]}, r"\$\.contracts\[0\] is no STRUCT"),
        ({"name": "a\x00b"}, "control character"),
    ],
)
def test_a_row_that_the_wsdl_does_not_take_is_refused_before_anything_is_sent(service, target, row, named):
    with pytest.raises(UnitError, match=named) as caught:
        make_call(target(), row)
    assert not {"Ada", "red", "much"} & set(str(caught.value).split())
    assert not service.seen


FAULTS = [
    {"code": "Server", "text": "lock(ed)?", "means": "retry"},
    {"detail": "Closed", "means": "fatal"},
    {"detail": "NotFound", "means": "absent"},
    {"text": "nothing was kept", "means": "reject"},
]


@pytest.mark.parametrize("version", ["1.1", "1.2"])
@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (("Client", "Ada is too young", "Invalid"), Answer.REJECTED),
        (("Server", "out of memory", ""), Answer.AMBIGUOUS),
        (("Server", "the row is locked", ""), Answer.AGAIN),
        (("Server", "we are closed", "Closed"), Answer.FATAL),
        (("Server", "nothing was kept", ""), Answer.REJECTED),
        (("wsse:FailedAuthentication", "who?", ""), Answer.DENIED),
    ],
)
def test_a_fault_means_what_the_job_says_of_its_code_text_or_detail(tmp_path, version, fault, answer):
    served = SoapService(version)
    (tmp_path / "crm.wsdl").write_text(wsdl(version), encoding="utf-8")
    rules = [dict(rule, code="Receiver") if version == "1.2" and "code" in rule else rule for rule in FAULTS]
    given = {"type": "soap", "url": served.url, "wsdl": "crm.wsdl", "faults": rules,
             "security": {"user": soap_service.USER, "password": soap_service.PASSWORD}}  # fmt: skip
    around = Surroundings(tmp_path, tmp_path, VARIABLES)
    made = SoapTarget("crm", SoapTarget.Settings.model_validate(given), around, {OUTPUT.name: OUTPUT})
    served.faults["Ada"] = fault
    try:
        result = act(made, "send", make_call(made, {"name": "Ada"}))
    finally:
        made.close()
        served.end()
    assert result.answer is answer
    assert result.reason.startswith("fault ") or answer in {Answer.AGAIN, Answer.AMBIGUOUS}
    assert "Ada" not in result.reason
    assert fault[1] in result.body, "the fault's text is for the detail"
    assert result.retry_after is None, "the service named no time"
    if answer is Answer.DENIED:
        assert "CRM_PASSWORD" in result.reason


def test_a_status_of_the_address_says_nothing_of_the_object(service, target):
    """A wrong path answers 404 to a look-up and to an undo: nothing is absent, and nothing is undone."""
    made = target(url=service.url + "/elsewhere")
    call = make_call(made, {"name": "Ada"}, server_id="c/1")
    assert [act(made, kind, call).answer for kind in ("probe", "undo", "send")] == [
        Answer.AMBIGUOUS, Answer.REJECTED, Answer.REJECTED,
    ]  # fmt: skip


def test_a_page_instead_of_an_envelope_undoes_nothing(service, target):
    made = target()
    call = make_call(made, {"name": "Ada"}, server_id="c/1")
    service.misbehave(soap_service.Mischief.GARBLE)
    service.store["c/1"] = {"id": "c/1", "revision": 1}
    assert act(made, "undo", call).answer is Answer.AMBIGUOUS


def test_an_output_is_held_to_the_wsdl_before_any_unit_runs(target):
    made = target(described=wsdl(must=""))
    columns = pa.schema([
        ("ludb_position", pa.int64()), ("unit_key", pa.int64()),
        ("name", pa.string()), ("balance", pa.bool_()), ("number", pa.string()),
        ("colour", pa.string()), ("born", pa.list_(pa.date32())),
        ("contracts", pa.list_(pa.struct([("fee", pa.decimal128(9, 2)), ("size", pa.int64())]))),
    ])  # fmt: skip
    found = [(one.severity, one.text.removeprefix("crm.customer: ")) for one in made.compare(OUTPUT.name, columns)]
    assert found == [
        ("error", "$.balance is a boolean, and must be a number (decimal)"),
        ("warning", "$.number is text, and must be a number (int)"),
        ("error", "$.colour is not known to CreateCustomer"),
        ("error", "$.born is a LIST, and must be one value"),
        ("error", "$.contracts.number is missing"),
        ("error", "$.contracts.size is not known to Contract"),
    ]
    unmarked = replace(OUTPUT, call=replace(OUTPUT.call, marker=None, probe=None))
    found = [one.text for one in target(unmarked, wsdl(must="")).compare(OUTPUT.name, columns)]
    assert "crm.customer: $.externalId is missing" in found


def test_a_wsdl_from_an_address_is_read_once_and_kept_for_all_processes(service, target, tmp_path):
    made = target(wsdl=f"{service.url}?wsdl")
    make_call(made, {"name": "Ada"})
    assert len(list((tmp_path / "state" / "wsdl").iterdir())) == 1
    service.stop()
    make_call(target(wsdl=f"{service.url}?wsdl"), {"name": "Ada"})


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"wsdl": "gone.wsdl"}, r"the WSDL gone\.wsdl cannot be used"),
        ({"service": "Billing"}, "cannot be used.*Mend wsdl:, service: or port:"),
        ({"port": "Other"}, "cannot be used"),
    ],
)
def test_a_description_that_cannot_be_used_is_a_mistake_of_the_job(target, settings, named):
    with pytest.raises(ConfigError, match=named):
        target(**settings).check()


def test_an_operation_that_is_not_there_is_named_with_those_that_are(target):
    wrong = replace(OUTPUT, call=replace(OUTPUT.call, path="/CreateCustmer"))
    with pytest.raises(ConfigError, match=r"no operation 'CreateCustmer'.*CreateCustomer, DeleteCustomer"):
        target(wrong).check()


def test_what_soap_has_no_place_for_is_refused_and_so_is_a_secret_in_the_job(target):
    with pytest.raises(ConfigError, match="SOAP, which has no `echo`"):
        target(replace(OUTPUT, call=replace(OUTPUT.call, echo=("$.name",))))
    with pytest.raises(ConfigError, match=r"names no operation.*SOAP /Operation"):
        target(replace(OUTPUT, call=replace(OUTPUT.call, undo="DELETE /customer/{id}")))
    with pytest.raises(ConfigError, match="a secret stands in the job's text"):
        target(variables={})
