-- What each customer has bought; customers without an order are listed too.
with bought as (
  select
    orders.customer_id,
    orders.order_id,
    orders.ordered_at,
    sum(lines.amount * (100 - orders.discount_percent) / 100) as total
  from processed.orders as orders
  join processed.order_lines as lines on lines.order_id = orders.order_id
  where orders.status not in ('cancelled', 'refunded')
  group by all
)
select
  customers.customer_id,
  customers.country,
  customers.segment,
  count(bought.order_id) as orders,
  cast(coalesce(sum(bought.total), 0) as decimal(14, 2)) as revenue,
  cast(avg(bought.total) as decimal(14, 2)) as average_order,
  cast(min(bought.ordered_at) as date) as first_order,
  cast(max(bought.ordered_at) as date) as last_order
from processed.customers as customers
left join bought on bought.customer_id = customers.customer_id
group by all
