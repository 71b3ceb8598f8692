select unit_key, c.id as legacy_id, k.new as account, c.name
from legacy.customers c join keys.account k using (unit_key)
