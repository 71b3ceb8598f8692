SELECT
    l.unit_key,
    l."InvoiceLineId" AS line_id,
    k.new AS order_id,
    t."Name" AS track,
    r."Name" AS artist,
    l."UnitPrice" AS unit_price,
    l."Quantity" AS quantity
FROM legacy."InvoiceLine" l
JOIN keys.order_id k ON k.old = l."InvoiceId"
JOIN ref."Track" t ON t."TrackId" = l."TrackId"
LEFT JOIN ref."Album" a ON a."AlbumId" = t."AlbumId"
LEFT JOIN ref."Artist" r ON r."ArtistId" = a."ArtistId"
