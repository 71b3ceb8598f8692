SELECT
    c.unit_key,
    k.new AS account_id,
    c.customer_id AS legacy_id,
    'legacy-' || c.customer_id AS crm_id,
    CASE c.kind WHEN 'B' THEN 'business' ELSE 'person' END AS kind,
    full_name(c.kind, c.company_name, c.first_name, c.last_name) AS name,
    try_parse_date(c.born_on) AS born_on,
    status_name(c.status) AS status,
    c.credit_limit,
    try_parse_date(c.created_on) AS opened_on
FROM legacy.customers c
JOIN keys.account_id k ON k.old = c.customer_id
