SELECT unit_key, l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax,
       l_returnflag, 'open' AS l_linestatus, l_shipdate, l_commitdate, l_receiptdate, lower(l_shipinstruct) AS l_shipinstruct,
       l_shipmode, trim(l_comment) AS l_comment
FROM legacy.lineitem WHERE l_linestatus <> 'F'
