-- What the CRM of the demo gets, kept as it was.
SELECT
    unit_key, contact_id, unit_key AS customer_id, kind, preferred,
    value
FROM legacy.contacts
WHERE blank_to_null(value) IS NOT NULL
