-- One row per line of an order that counts, with what the order says.
select
  lines.order_id,
  lines.line_no,
  orders.customer_id,
  lines.product_id,
  orders.store_id,
  orders.channel,
  orders.ordered_at,
  lines.quantity,
  cast(lines.amount * (100 - orders.discount_percent) / 100 as decimal(14, 2)) as revenue
from processed.order_lines as lines
join processed.orders as orders on orders.order_id = lines.order_id
where orders.status not in ('cancelled', 'refunded')
