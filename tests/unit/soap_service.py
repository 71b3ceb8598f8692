"""A SOAP service on loopback, 1.1 and 1.2, with a WSDL of its own: customers that are made, found, changed, deleted."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from collections import deque
from concurrent.futures import Future

from aiohttp import web
from lxml import etree

from ludb.model.job import CallSpec, OutputSpec
from ludb.testing.calls import Mischief

URN = "urn:example:crm"
ENVELOPES = {"1.1": "http://schemas.xmlsoap.org/soap/envelope/", "1.2": "http://www.w3.org/2003/05/soap-envelope"}
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSU = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
USER, PASSWORD = "loader", "tell-nobody-4711"
OPERATIONS = ("CreateCustomer", "FindCustomers", "UpdateCustomer", "DeleteCustomer")

_WSDL = """<?xml version="1.0"?>
<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="{soap}" xmlns:t="{urn}" xmlns:x="http://www.w3.org/2001/XMLSchema"
  name="Crm" targetNamespace="{urn}">
 <types><x:schema targetNamespace="{urn}" elementFormDefault="qualified">
  <x:complexType name="Contract"><x:sequence>
    <x:element name="number" type="x:string"/><x:element name="fee" type="x:decimal" minOccurs="0"/>
    <x:element name="since" type="x:date" minOccurs="0"/></x:sequence></x:complexType>
  <x:group name="Fields"><x:sequence>
    <x:element name="name" type="x:string" minOccurs="0"/><x:element name="status" type="x:string" minOccurs="0"/>
    <x:element name="balance" type="x:decimal" minOccurs="0"/><x:element name="number" type="x:int" minOccurs="0"/>
    <x:element name="born" type="x:date" minOccurs="0"/><x:element name="seal" type="x:base64Binary" minOccurs="0"/>
    <x:element name="a" type="x:decimal" minOccurs="0"/>
    <x:element name="b" type="x:decimal" minOccurs="0" maxOccurs="unbounded"/>
    <x:element name="c" type="x:integer" minOccurs="0"/>
    <x:element name="externalId" type="x:string" {must}/>
    <x:element name="contracts" type="t:Contract" minOccurs="0" maxOccurs="unbounded"/></x:sequence></x:group>
  <x:complexType name="Customer"><x:sequence>
    <x:element name="id" type="x:string"/><x:element name="revision" type="x:int"/>
    <x:element name="externalId" type="x:string"/></x:sequence></x:complexType>
  <x:element name="CreateCustomer"><x:complexType><x:group ref="t:Fields"/></x:complexType></x:element>
  <x:element name="UpdateCustomer"><x:complexType><x:sequence><x:element name="id" type="x:string"/>
    <x:group ref="t:Fields"/></x:sequence></x:complexType></x:element>
  <x:element name="DeleteCustomer"><x:complexType><x:sequence>
    <x:element name="id" type="x:string"/></x:sequence></x:complexType></x:element>
  <x:element name="FindCustomers"><x:complexType><x:sequence><x:element name="filter"><x:complexType><x:sequence>
    <x:element name="externalId" type="x:string"/></x:sequence></x:complexType></x:element></x:sequence></x:complexType>
  </x:element>
  <x:element name="CreateCustomerResponse" type="t:Customer"/><x:element name="UpdateCustomerResponse" type="t:Customer"/>
  <x:element name="DeleteCustomerResponse"><x:complexType><x:sequence/></x:complexType></x:element>
  <x:element name="FindCustomersResponse"><x:complexType><x:sequence>
    <x:element name="customer" type="t:Customer" minOccurs="0" maxOccurs="unbounded"/></x:sequence></x:complexType></x:element>
 </x:schema></types>
 {messages}
 <portType name="CrmPort">{port}</portType>
 <binding name="CrmBinding" type="t:CrmPort"><s:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>
  {binding}</binding>
 <service name="Crm"><port name="CrmPort" binding="t:CrmBinding"><s:address location="{url}"/></port></service>
</definitions>"""


def wsdl(version="1.1", url="http://127.0.0.1:1/", must='minOccurs="0"'):
    """The service's description; `must` is what is said of externalId."""
    soap = {"1.1": "http://schemas.xmlsoap.org/wsdl/soap/", "1.2": "http://schemas.xmlsoap.org/wsdl/soap12/"}[version]
    kinds = [(name, end) for name in OPERATIONS for end in ("", "Response")]
    return _WSDL.format(
        soap=soap, urn=URN, url=url, must=must,
        messages="".join(
            f'<message name="{name}{end}"><part name="p" element="t:{name}{end}"/></message>' for name, end in kinds
        ),
        port="".join(
            f'<operation name="{name}"><input message="t:{name}"/><output message="t:{name}Response"/></operation>'
            for name in OPERATIONS
        ),
        binding="".join(
            f'<operation name="{name}"><s:operation soapAction="{URN}#{name}"/><input><s:body use="literal"/></input>'
            f'<output><s:body use="literal"/></output></operation>'
            for name in OPERATIONS
        ),
    )  # fmt: skip


OUTPUT = OutputSpec(
    system="crm", table="customer",
    call=CallSpec(
        method="SOAP", path="/CreateCustomer", row=("unit_key",), marker="$.externalId",
        probe="SOAP /FindCustomers?filter.externalId={call_id}", undo="SOAP /DeleteCustomer?id={id}",
        update="SOAP /UpdateCustomer?id={id}", returns={"crm_id": "$.id", "revision": "$.revision"},
    ),
)  # fmt: skip


class SoapService:
    """An aiohttp server in a thread of its own; its store is touched on its loop only. `faults` maps a customer's name to
    (code, text, detail element) of the fault that it meets, `dropped` holds those on whom it hangs up; a look-up shows nothing
    younger than `lag` seconds; with `keeps` nothing is deleted.
    """

    def __init__(self, version="1.1", digest=False, store=None):
        self.version, self.digest = version, digest
        self.store = {} if store is None else store
        self.script, self.hanging, self.always, self.seen, self.faults = deque(), [], set(), [], {}
        self.dropped = set()
        self.keys, self.count, self.nonces = None, 0, set()
        self.lag, self.born, self.keeps, self.late = 0.0, {}, False, None
        started = Future()
        self._thread = threading.Thread(target=self._serve, args=(started,), name="soap-service")
        self._thread.start()
        self.loop, self.runner, self.site = started.result()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/soap"

    def _serve(self, started):
        loop = asyncio.new_event_loop()

        async def start():
            app = web.Application()
            app.router.add_get("/soap", self._describe)
            app.router.add_post("/soap", self._answer)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.arrived, self.let_go = asyncio.Condition(), asyncio.Event()
            return loop, runner, site

        started.set_result(loop.run_until_complete(start()))
        loop.run_forever()
        loop.close()

    def call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=10)

    def end(self):
        if self.late is not None:
            self.late.cancel()

        async def clean():
            self.let_go.set()
            await self.runner.cleanup()

        self.call(clean())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=10)

    def misbehave(self, *mischiefs):
        self.script.extend(mischiefs)

    def objects(self):
        async def read():
            return [dict(one) for one in self.store.values()]

        return self.call(read())

    def plant(self, document, *, found_by_any_probe=False):
        async def add():
            marks = [one["value"] for one in document.get("characteristic", ())]
            planted = self._add({"name": document["name"], "externalId": marks[0] if marks else ""})
            if found_by_any_probe:
                self.always.add(planted["id"])

        self.call(add())

    def deliver(self, count=1):
        self.call(self._deliver(count, 0.0))

    def deliver_late(self, seconds):
        """Write what the next hanging request asks for, so long after it came; nobody waits for it."""
        self.late = asyncio.run_coroutine_threadsafe(self._deliver(1, seconds), self.loop)

    async def _deliver(self, count, after):
        async with self.arrived:
            await self.arrived.wait_for(lambda: len(self.hanging) >= count)
        await asyncio.sleep(after)
        while self.hanging:
            self._carry_out(*self.hanging.pop())

    def honour_keys(self):
        self.keys = {}

    def stop(self):
        self.call(self.site.stop())

    def start_again(self):
        async def start():
            self.site = web.TCPSite(self.runner, "127.0.0.1", int(self.url.split(":")[2].split("/")[0]))
            await self.site.start()

        self.call(start())

    async def _describe(self, request):
        return web.Response(text=wsdl(self.version, self.url), content_type="text/xml")

    async def _answer(self, request):
        content = await request.read()
        self.seen.append((dict(request.headers), content.decode()))
        mischief = self.script.popleft() if self.script else None
        said = {
            Mischief.BUSY: (429, {}), Mischief.LATER: (503, {"Retry-After": "0"}),
            Mischief.MUCH_LATER: (429, {"Retry-After": "900"}), Mischief.FAIL_BEFORE: (500, {}),
            Mischief.CONFLICT: (409, {}),
        }  # fmt: skip
        if mischief in said:
            status, headers = said[mischief]
            return web.Response(status=status, headers=headers, text="no")
        if mischief is Mischief.REFUSE:
            return web.Response(status=400, text="status is missing")
        root = etree.fromstring(content)
        space = ENVELOPES[self.version]
        if root.tag != f"{{{space}}}Envelope":
            return self._fault("VersionMismatch", "another SOAP")
        if mischief is Mischief.DENY or not self._knows(root):
            # A careless server echoes what it was sent, credential included.
            return self._fault("wsse:FailedAuthentication", f"who is {PASSWORD}?")
        element = next(iter(root.find(f"{{{space}}}Body")))
        key = root.findtext(f".//{{{URN}}}CallId")
        if mischief is Mischief.DROP_BEFORE or element.findtext(f"{{{URN}}}name") in self.dropped:
            return self._drop(request)
        if mischief is Mischief.HANG:
            async with self.arrived:
                self.hanging.append((element, key))
                self.arrived.notify_all()
            await self.let_go.wait()
            return web.Response(status=500)
        answer = self._carry_out(element, key)
        if mischief is Mischief.DROP_AFTER:
            return self._drop(request)
        if mischief is Mischief.FAIL_AFTER:
            return web.Response(status=500)
        if mischief is Mischief.GARBLE:
            return web.Response(text="<html>created")
        return answer if isinstance(answer, web.Response) else self._say(answer)

    def _knows(self, root):
        token = root.find(f".//{{{WSSE}}}UsernameToken")
        if token is None or token.findtext(f"{{{WSSE}}}Username") != USER:
            return False
        told = token.findtext(f"{{{WSSE}}}Password")
        if not self.digest:
            return told == PASSWORD
        nonce, made = token.findtext(f"{{{WSSE}}}Nonce"), token.findtext(f"{{{WSU}}}Created")
        if nonce in self.nonces:
            return False
        self.nonces.add(nonce)
        whole = base64.b64decode(nonce) + made.encode() + PASSWORD.encode()
        return told == base64.b64encode(hashlib.sha1(whole).digest()).decode()

    def _drop(self, request):
        request.transport.abort()
        return web.Response()

    def _carry_out(self, element, key):
        if self.keys is not None and key in self.keys:
            return self.keys[key]
        name = etree.QName(element).localname
        told = _read(element)
        if name == "FindCustomers":
            wanted = told["filter"]["externalId"]
            now = asyncio.get_running_loop().time()
            young = {one for one, at in self.born.items() if now - at < self.lag}
            ours = [one for one in self.store.values() if wanted == one.get("externalId") and one["id"] not in young]
            hits = [one for one in self.store.values() if one["id"] in self.always or one in ours]
            found = "".join(_customer("customer", one) for one in hits)
            answer = f'<t:FindCustomersResponse xmlns:t="{URN}">{found}</t:FindCustomersResponse>'
        elif name == "CreateCustomer":
            fault = self.faults.get(told.get("name"))
            if fault:
                return self._fault(*fault)
            answer = _customer("CreateCustomerResponse", self._add(told))
        elif told["id"] not in self.store:
            return self._fault("Client", "there is none", "NotFound")
        elif name == "DeleteCustomer" and self.keeps:
            return self._fault("Client", "it stays")
        elif name == "DeleteCustomer":
            del self.store[told["id"]]
            answer = f'<t:DeleteCustomerResponse xmlns:t="{URN}"/>'
        else:
            found = self.store[told["id"]]
            found.update(told, revision=found["revision"] + 1)
            answer = _customer("UpdateCustomerResponse", found)
        if self.keys is not None and key:
            self.keys[key] = answer
        return answer

    def _add(self, document):
        self.count += 1
        made = f"c/{self.count}"
        self.store[made] = {**document, "id": made, "revision": 1}
        self.born[made] = asyncio.get_running_loop().time()
        return self.store[made]

    def _say(self, inner, status=200):
        text = f'<s:Envelope xmlns:s="{ENVELOPES[self.version]}"><s:Body>{inner}</s:Body></s:Envelope>'
        return web.Response(status=status, text=text, content_type="text/xml")

    def _fault(self, code, text, detail=""):
        inner = f'<{detail} xmlns="{URN}"/>' if detail else ""
        if self.version == "1.1":
            code = code if ":" in code else f"s:{code}"
            return self._say(
                f'<s:Fault><faultcode xmlns:wsse="{WSSE}">{code}</faultcode><faultstring>{text}</faultstring>'
                f"<detail>{inner}</detail></s:Fault>",
                500,
            )
        outer = {"Client": "Sender", "Server": "Receiver"}.get(code, "Sender")
        more = f'<s:Subcode><s:Value xmlns:wsse="{WSSE}">{code}</s:Value></s:Subcode>' if ":" in code else ""
        return self._say(
            f'<s:Fault><s:Code><s:Value>s:{outer}</s:Value>{more}</s:Code><s:Reason><s:Text xml:lang="en">{text}</s:Text>'
            f"</s:Reason><s:Detail>{inner}</s:Detail></s:Fault>",
            400 if outer == "Sender" else 500,
        )


def _read(element):
    children = list(element)
    if not children:
        return element.text or ""
    found = {}
    for one in children:
        found.setdefault(etree.QName(one).localname, []).append(_read(one))
    return {name: values if name in {"b", "contracts"} else values[0] for name, values in found.items()}


def _customer(name, one):
    return (
        f'<t:{name} xmlns:t="{URN}"><t:id>{one["id"]}</t:id><t:revision>{one["revision"]}</t:revision>'
        f"<t:externalId>{one.get('externalId', '')}</t:externalId></t:{name}>"
    )
