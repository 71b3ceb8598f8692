-- Only a warning: whoever registered and never bought moves all the same.
SELECT c.unit_key, 'the customer has no contract' AS reason
FROM legacy.customers c
WHERE NOT EXISTS (SELECT 1 FROM legacy.contracts k WHERE k.unit_key = c.unit_key)
