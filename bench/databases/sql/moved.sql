-- What a migration leaves in the targets, told by the source's own server: the job's five steps, row for row.
SELECT c_custkey, c_name, c_address, c_nationkey, replace(c_phone, '-', ' ') AS c_phone, c_acctbal,
       lower(c_mktsegment) AS c_mktsegment, btrim(c_comment) AS c_comment FROM customer ORDER BY c_custkey;
SELECT o_orderkey, o_custkey, CASE o_orderstatus WHEN 'F' THEN 'settled' WHEN 'O' THEN 'open' ELSE 'part' END AS o_orderstatus,
       o_totalprice, o_orderdate, left(o_orderpriority, 1) AS o_orderpriority, o_clerk, o_shippriority,
       btrim(o_comment) AS o_comment FROM orders ORDER BY o_orderkey;
SELECT l_orderkey, l_partkey, l_suppkey, l_linenumber, l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag,
       CASE l_linestatus WHEN 'F' THEN 'shipped' ELSE 'open' END AS l_linestatus, l_shipdate, l_commitdate, l_receiptdate,
       lower(l_shipinstruct) AS l_shipinstruct, l_shipmode, btrim(l_comment) AS l_comment
FROM lineitem ORDER BY l_orderkey, l_linenumber;
