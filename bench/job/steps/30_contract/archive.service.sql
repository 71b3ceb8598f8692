-- What the service inventory of the demo gets, as rows of a file.
SELECT
    v.unit_key, v.service_id, CAST(k.new AS VARCHAR) AS subscription_id, v.kind,
    phone_number(v.msisdn) AS msisdn, v.iccid, v.ont_serial,
    legacy_date(v.activated_on) AS activated_on, status_name(v.status) AS status
FROM legacy.services v
JOIN keys.subscription_id k ON k.old = v.subscription_id
