select c.unit_key, k.new as id, c.id as legacy_id, crm.new as crm_id, name
from legacy.customers c join keys.account k using (unit_key) join keys.crm_id crm using (unit_key)
