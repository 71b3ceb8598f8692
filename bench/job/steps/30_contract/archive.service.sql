-- What the service inventory of the demo gets, its numbers kept as they were.
SELECT
    v.unit_key, v.service_id, CAST(k.new AS VARCHAR) AS subscription_id, v.kind,
    v.msisdn, v.iccid, v.ont_serial,
    try_parse_date(v.activated_on) AS activated_on, status_name(v.status) AS status
FROM legacy.services v
JOIN keys.subscription_id k ON k.old = v.subscription_id
