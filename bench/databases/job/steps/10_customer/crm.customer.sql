SELECT unit_key, c_custkey, c_name, c_address, c_nationkey, replace(c_phone, '-', ' ') AS c_phone, c_acctbal,
       lower(c_mktsegment) AS c_mktsegment, trim(c_comment) AS c_comment
FROM legacy.customer
