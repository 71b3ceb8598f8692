select unit_key, 'bought the company' as reason from legacy.customers where name = 'Owner'
