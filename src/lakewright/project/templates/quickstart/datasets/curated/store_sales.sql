-- Only orders placed in a store have one.
select
  stores.store_id,
  stores.name,
  stores.city,
  stores.square_metres,
  count(distinct orders.order_id) as orders,
  cast(sum(lines.amount * (100 - orders.discount_percent) / 100) as decimal(14, 2)) as revenue
from processed.stores as stores
join processed.orders as orders on orders.store_id = stores.store_id
join processed.order_lines as lines on lines.order_id = orders.order_id
where orders.status not in ('cancelled', 'refunded')
group by all
