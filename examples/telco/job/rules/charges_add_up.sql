-- Conservation of money: what arrives as charges is what the invoices said.
WITH charged AS (
    SELECT unit_key, invoice_no, sum(amount) AS amount FROM billing.charge GROUP BY unit_key, invoice_no
)
SELECT i.unit_key, 'the charges do not add up to the invoice total' AS reason
FROM legacy.invoices i
LEFT JOIN charged c ON c.unit_key = i.unit_key AND c.invoice_no = i.invoice_no
WHERE coalesce(c.amount, 0) <> i.total
GROUP BY i.unit_key
