-- Sales by day and channel; what was cancelled or refunded does not count.
select
  cast(orders.ordered_at as date) as sold_on,
  orders.channel,
  count(distinct orders.order_id) as orders,
  sum(lines.quantity) as items,
  cast(sum(lines.amount * (100 - orders.discount_percent) / 100) as decimal(14, 2)) as revenue
from processed.orders as orders
join processed.order_lines as lines on lines.order_id = orders.order_id
where orders.status not in ('cancelled', 'refunded')
group by all
