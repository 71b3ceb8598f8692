-- One row = one TMF629 Customer_Create. The CRM answers with the id that it gave the customer: keys.crm_id.
WITH media AS (
    SELECT
        unit_key, preferred = 1 AS preferred, contact_id AS row_id,
        CASE kind WHEN 'email' THEN 'email' WHEN 'fax' THEN 'fax' ELSE 'phone' END AS medium,
        blank_to_null(value) AS value,
        NULL AS street1, NULL AS post_code, NULL AS city, NULL AS country
    FROM legacy.contacts
    WHERE blank_to_null(value) IS NOT NULL
    UNION ALL
    SELECT
        unit_key, false, address_id, 'postalAddress', kind,
        concat_ws(' ', repair_text(street), blank_to_null(house_no)), blank_to_null(postcode), repair_text(city),
        coalesce(blank_to_null(country), 'DE')
    FROM legacy.addresses
),
reachable AS (
    SELECT
        unit_key,
        list({
            'mediumType': medium,
            'preferred': preferred,
            'characteristic': {
                'contactType': CASE WHEN medium = 'postalAddress' THEN value END,
                'emailAddress': CASE WHEN medium = 'email' THEN lower(value) END,
                'phoneNumber': CASE WHEN medium = 'phone' THEN phone_e164(value, 'DE') END,
                'faxNumber': CASE WHEN medium = 'fax' THEN phone_e164(value, 'DE') END,
                'street1': street1, 'postCode': post_code, 'city': city, 'country': country
            }
        } ORDER BY preferred DESC, medium, row_id) AS "contactMedium"
    FROM media
    GROUP BY unit_key
)
SELECT
    c.unit_key,
    full_name(c.kind, c.company_name, c.first_name, c.last_name) AS name,
    status_name(c.status) AS status,
    {
        'id': 'legacy-' || c.customer_id,
        'name': full_name(c.kind, c.company_name, c.first_name, c.last_name),
        '@referredType': CASE c.kind WHEN 'B' THEN 'Organization' ELSE 'Individual' END
    } AS "engagedParty",
    [{'id': CAST(k.new AS VARCHAR), 'name': 'Billing account ' || k.new, '@referredType': 'BillingAccount'}] AS account,
    m."contactMedium",
    list_filter([
        {'name': 'legacyId', 'valueType': 'string', 'value': CAST(c.customer_id AS VARCHAR)},
        {'name': 'salutation', 'valueType': 'string', 'value': blank_to_null(c.salutation)},
        {'name': 'bornOn', 'valueType': 'date', 'value': CAST(try_parse_date(c.born_on) AS VARCHAR)}
    ], lambda one: one.value IS NOT NULL) AS characteristic
FROM legacy.customers c
JOIN keys.account_id k ON k.old = c.customer_id
LEFT JOIN reachable m ON m.unit_key = c.unit_key
