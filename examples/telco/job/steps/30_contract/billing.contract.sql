SELECT
    c.unit_key,
    CAST(k.new AS VARCHAR) AS contract_id,
    a.account_id,
    c.contract_no,
    try_parse_date(c.signed_on) AS signed_on,
    try_parse_date(c.ends_on) AS ends_on,
    c.term_months,
    status_name(c.status) AS status
FROM legacy.contracts c
JOIN keys.contract_id k ON k.old = c.contract_id
JOIN billing.account a ON a.unit_key = c.unit_key
