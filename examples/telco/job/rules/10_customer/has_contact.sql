SELECT c.unit_key, 'the customer has no contact' AS reason
FROM legacy.customers c
WHERE NOT EXISTS (
    SELECT 1 FROM legacy.contacts k WHERE k.unit_key = c.unit_key AND blank_to_null(k.value) IS NOT NULL
)
