WITH dates AS (
    SELECT unit_key, 'customers.born_on' AS place, born_on AS value FROM legacy.customers
    UNION ALL SELECT unit_key, 'customers.created_on', created_on FROM legacy.customers
    UNION ALL SELECT unit_key, 'contracts.signed_on', signed_on FROM legacy.contracts
    UNION ALL SELECT unit_key, 'contracts.ends_on', ends_on FROM legacy.contracts
    UNION ALL SELECT unit_key, 'subscriptions.started_on', started_on FROM legacy.subscriptions
    UNION ALL SELECT unit_key, 'services.activated_on', activated_on FROM legacy.services
)
SELECT unit_key, 'a date cannot be read: ' || min(place) AS reason
FROM dates
WHERE NOT valid_date(value)
GROUP BY unit_key
