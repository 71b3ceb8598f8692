SELECT s.unit_key, 'a subscription names a tariff that does not exist' AS reason
FROM legacy.subscriptions s
WHERE NOT EXISTS (SELECT 1 FROM ref.tariffs t WHERE t.tariff_code = s.tariff_code)
GROUP BY s.unit_key
