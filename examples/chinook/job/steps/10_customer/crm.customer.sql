-- One row = one TMF629 Customer_Create; the CRM's id comes back as keys.crm_id.
SELECT
    unit_key,
    c."FirstName" || ' ' || c."LastName" AS name,
    'active' AS status,
    {
        'id': 'chinook-' || "CustomerId",
        'name': c."FirstName" || ' ' || c."LastName",
        '@referredType': 'Individual'
    } AS "engagedParty",
    [
        {'mediumType': 'email', 'preferred': true, 'characteristic': {'emailAddress': c."Email", 'phoneNumber': NULL}},
        {'mediumType': 'phone', 'preferred': false, 'characteristic': {'emailAddress': NULL, 'phoneNumber': c."Phone"}}
    ] AS "contactMedium",
    [{'name': 'supportedBy', 'valueType': 'string', 'value': e."FirstName" || ' ' || e."LastName"}] AS characteristic
FROM legacy."Customer" c
LEFT JOIN ref."Employee" e ON e."EmployeeId" = c."SupportRepId"
