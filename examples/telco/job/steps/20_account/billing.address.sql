SELECT
    a.unit_key,
    a.address_id,
    k.new AS account_id,
    a.kind,
    concat_ws(' ', repair_text(a.street), blank_to_null(a.house_no)) AS line,
    blank_to_null(a.postcode) AS postcode,
    repair_text(a.city) AS city,
    coalesce(blank_to_null(a.country), 'DE') AS country
FROM legacy.addresses a
JOIN keys.account_id k ON k.old = a.customer_id
