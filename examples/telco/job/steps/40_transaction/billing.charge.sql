SELECT
    l.unit_key,
    a.account_id,
    i.invoice_no,
    l.line_no,
    try_parse_date(i.issued_on) AS issued_on,
    l.kind,
    repair_text(l.description) AS description,
    l.amount
FROM legacy.invoice_lines l
JOIN legacy.invoices i ON i.invoice_id = l.invoice_id
JOIN billing.account a ON a.unit_key = l.unit_key
