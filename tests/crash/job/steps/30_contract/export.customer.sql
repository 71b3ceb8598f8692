select c.unit_key, c.id as legacy_id, a.id as account, a.crm_id, count(i.iid) as invoices
from legacy.customers c join billing.account a using (unit_key) left join legacy.invoices i on i.cid = c.id
group by all
