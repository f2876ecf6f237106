-- Orders that should be paid and whose payments do not add up to their total.
with totals as (
  select
    orders.order_id,
    orders.status,
    cast(round(sum(lines.amount) * (100 - orders.discount_percent) / 100, 2) as decimal(14, 2)) as total
  from processed.orders as orders
  join processed.order_lines as lines on lines.order_id = orders.order_id
  where orders.status in ('paid', 'shipped', 'delivered')
  group by orders.order_id, orders.status, orders.discount_percent
),
received as (
  select order_id, sum(amount) as paid from processed.payments group by order_id
)
select
  totals.order_id,
  totals.status,
  totals.total,
  coalesce(received.paid, 0) as paid,
  totals.total - coalesce(received.paid, 0) as missing
from totals
left join received on received.order_id = totals.order_id
where totals.total <> coalesce(received.paid, 0)
