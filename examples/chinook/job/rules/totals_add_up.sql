-- Conservation of money: an invoice is the sum of its lines.
SELECT i.unit_key, 'the lines of an invoice do not add up to its total' AS reason
FROM legacy."Invoice" i
LEFT JOIN legacy."InvoiceLine" l ON l.unit_key = i.unit_key AND l."InvoiceId" = i."InvoiceId"
GROUP BY i.unit_key, i."InvoiceId", i."Total"
HAVING coalesce(sum(l."UnitPrice" * l."Quantity"), 0) <> i."Total"
