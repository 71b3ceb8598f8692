SELECT
    p.unit_key,
    p.payment_id,
    a.account_id,
    i.invoice_no,
    try_parse_date(p.paid_on) AS paid_on,
    p.amount,
    p.method
FROM legacy.payments p
LEFT JOIN legacy.invoices i ON i.invoice_id = p.invoice_id
JOIN billing.account a ON a.unit_key = p.unit_key
