-- What sells, by month, and what is left of it after cost.
select
  products.product_id,
  products.name,
  products.category,
  cast(date_trunc('month', lines.sold_on) as date) as month,
  sum(lines.quantity) as items,
  cast(sum(lines.amount) as decimal(14, 2)) as revenue,
  cast(sum(lines.amount - lines.quantity * products.cost) as decimal(14, 2)) as margin
from processed.order_lines as lines
join processed.products as products on products.product_id = lines.product_id
group by all
