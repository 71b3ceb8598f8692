-- Conservation of money: every cent paid arrives.
WITH paid AS (SELECT unit_key, sum(amount) AS amount FROM legacy.payments GROUP BY unit_key),
arrived AS (SELECT unit_key, sum(amount) AS amount FROM billing.payment GROUP BY unit_key)
SELECT p.unit_key, 'the payments that arrive are not the payments that were made' AS reason
FROM paid p
LEFT JOIN arrived a ON a.unit_key = p.unit_key
WHERE a.amount IS DISTINCT FROM p.amount
