"""One dict = one TMF638 Service_Create: what a subscription gives its customer, in the inventory's words."""

from lib.dates import instant

from ludb.sql import phone_e164


def transform(unit):
    states = {row.code: row.service_state for row in unit.ref.status_codes}
    specifications = {row.kind: row for row in unit.ref.service_specifications}
    tariffs = {row.subscription_id: row.tariff_code for row in unit.subscriptions}
    crm_id = unit.keys.crm_id(unit.key)
    for row in unit.services:
        specification = specifications.get(row.kind)
        values = {
            "legacyId": str(row.service_id),
            "tariff": tariffs[row.subscription_id],
            "msisdn": phone_e164(row.msisdn, "DE"),
            "iccid": row.iccid or None,
            "ontSerial": row.ont_serial or None,
        }
        yield {
            "service_id": row.service_id,
            "name": f"{specification.name if specification else 'Service'} {row.service_id}",
            "state": states[row.status],
            "startDate": instant(row.activated_on),
            "serviceSpecification": {
                "id": specification and specification.specification_id,
                "@type": "ServiceSpecificationRef",
            },
            "serviceCharacteristic": [
                {"name": name, "valueType": "string", "value": value} for name, value in values.items() if value
            ],
            "relatedParty": [{"id": crm_id, "role": "customer", "@referredType": "Customer"}],
        }
