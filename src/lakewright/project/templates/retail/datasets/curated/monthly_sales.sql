-- Revenue by month, category and country.
select
  d.year_month,
  p.category,
  c.country,
  sum(f.quantity) as items,
  sum(f.revenue) as revenue
from curated.fact_sales as f
join curated.dim_date as d using (date_key)
join curated.dim_product as p using (product_key)
join curated.dim_customer as c using (customer_key)
group by all
