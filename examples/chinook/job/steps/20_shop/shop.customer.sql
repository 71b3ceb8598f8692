SELECT
    c.unit_key,
    c."CustomerId" AS customer_id,
    k.new AS crm_id,
    c."FirstName" AS first_name, c."LastName" AS last_name, c."Company" AS company,
    c."Address" AS street, c."City" AS city, c."State" AS state, c."PostalCode" AS postal_code, c."Country" AS country,
    c."Phone" AS phone, c."Fax" AS fax, c."Email" AS email
FROM legacy."Customer" c
JOIN keys.crm_id k ON k.old = c."CustomerId"
