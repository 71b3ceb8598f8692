SELECT
    i.unit_key,
    k.new AS order_id,
    i."InvoiceId" AS invoice_no,
    i."CustomerId" AS customer_id,
    CAST(i."InvoiceDate" AS DATE) AS ordered_on,
    i."Total" AS total
FROM legacy."Invoice" i
JOIN keys.order_id k ON k.old = i."InvoiceId"
