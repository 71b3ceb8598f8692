SELECT
    s.unit_key,
    CAST(k.new AS VARCHAR) AS subscription_id,
    CAST(c.new AS VARCHAR) AS contract_id,
    s.tariff_code,
    t.name AS tariff_name,
    try_parse_date(s.started_on) AS started_on,
    s.monthly_fee,
    CAST(t.monthly_fee - s.monthly_fee AS DECIMAL(12, 2)) AS discount,
    status_name(s.status) AS status
FROM legacy.subscriptions s
JOIN keys.subscription_id k ON k.old = s.subscription_id
JOIN keys.contract_id c ON c.old = s.contract_id
LEFT JOIN ref.tariffs t ON t.tariff_code = s.tariff_code
