SELECT
    u.unit_key,
    CAST(k.new AS VARCHAR) AS subscription_id,
    u.period,
    u.kind,
    count(*) AS records,
    CAST(sum(u.quantity) AS BIGINT) AS quantity,
    CAST(sum(u.charge) AS DECIMAL(12, 2)) AS charge
FROM legacy.usage_records u
JOIN legacy.services s ON s.service_id = u.service_id
JOIN keys.subscription_id k ON k.old = s.subscription_id
GROUP BY ALL
