-- What the CRM of the demo gets, as rows of a file.
SELECT
    unit_key, contact_id, unit_key AS customer_id, kind, preferred,
    CASE kind WHEN 'email' THEN lower(blank_to_null(value)) ELSE phone_number(value) END AS value
FROM legacy.contacts
WHERE blank_to_null(value) IS NOT NULL
