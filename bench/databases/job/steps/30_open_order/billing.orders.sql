SELECT unit_key, o_orderkey, o_custkey, CASE o_orderstatus WHEN 'O' THEN 'open' ELSE 'part' END AS o_orderstatus,
       o_totalprice, o_orderdate, left(o_orderpriority, 1) AS o_orderpriority, o_clerk, o_shippriority,
       trim(o_comment) AS o_comment
FROM legacy.orders WHERE o_orderstatus <> 'F'
