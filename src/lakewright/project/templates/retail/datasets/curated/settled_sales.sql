-- What was sold, and what was paid for it, by month of the order.
with paid as (
  select order_id, sum(amount) as amount from processed.payments group by order_id
),
sold as (
  select order_id, min(ordered_at) as ordered_at, sum(revenue) as revenue from curated.fact_sales group by order_id
)
select
  cast(date_trunc('month', sold.ordered_at) as date) as month,
  count(*) as orders,
  sum(sold.revenue) as revenue,
  coalesce(sum(paid.amount), 0) as paid,
  count(*) - count(paid.order_id) as unpaid_orders
from sold
left join paid on paid.order_id = sold.order_id
group by all
