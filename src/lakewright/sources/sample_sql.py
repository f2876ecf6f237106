"""The statements behind the sample shop: every value is a function of the seed and of its place.

Nothing is stored and nothing is drawn in sequence, so any day of any size can be made alone and
always comes out the same. ``u(salt, a, b)`` is the one source of chance: 53 bits of DuckDB's hash.
"""

from __future__ import annotations

__all__ = ["DIRT", "MACROS", "customers", "order_lines", "orders", "payments", "products", "stores"]

#: The mistakes that are planted, by dataset: kind → what is wrong with the row.
DIRT: dict[str, dict[str, str]] = {
    "customers": {
        "bad_email": "an address without @",
        "future_birth": "born in 2101",
        "unknown_country": "country XX",
        "duplicate": "the same line twice",
        "untidy": "spaces and capitals around the address; can be repaired",
        "no_name": "no last name",
    },
    "products": {
        "negative_price": "a price below zero",
        "no_name": "no name",
    },
    "orders": {
        "duplicate": "the same line twice",
        "bad_date": "a date that does not exist, or is none",
        "no_customer": "no customer",
        "bad_status": "a status that nobody knows",
        "short_line": "a line that breaks off",
        "long_line": "a line with a field too many",
        "bad_encoding": "a Latin-1 letter in a UTF-8 file",
    },
    "order_lines": {
        "duplicate": "the same line twice",
        "no_product": "no product",
        "bad_quantity": "a quantity of zero or less",
        "absurd_price": "a price a thousand times too high",
        "orphan": "a line of an order that does not exist",
    },
    "payments": {
        "duplicate": "the same payment twice",
        "broken_json": "a line that breaks off",
        "negative_amount": "an amount below zero",
        "text_amount": "an amount with a comma, as text",
        "orphan": "a payment for an order that does not exist",
    },
}

_FIRST = (
    "Anna,Ben,Chloé,David,Emma,Finn,Greta,Hugo,Inès,Jan,Katja,Lukas,María,Noah,Olga,Paul,Renée,"
    "Søren,Tomás,Ursula,Věra,Wim,Yara,Zoë,Amélie,Björn,Céline,Elif,Jürgen,Lucía"
).replace("ě", "e")
_LAST = (
    "Müller,Schmidt,Dubois,García,Rossi,Jensen,Novak,Kowalski,O'Brien,van Dijk,Fernández,Lefèvre,"
    "Weber,Hansen,Silva,Moreau,Bianchi,Lindström,Peeters,Andersen,Costa,Schäfer,Martin,Bauer,López"
)
_CITIES = (
    "Berlin|DE|10115,München|DE|80331,Köln|DE|50667,Paris|FR|75001,Lyon|FR|69001,Besançon|FR|25000,"
    "Madrid|ES|28001,Málaga|ES|29001,Roma|IT|00118,Milano|IT|20121,København|DK|1050,Århus|DK|8000,"
    "Amsterdam|NL|1012,Utrecht|NL|3511,Wien|AT|1010,Bruxelles|BE|1000,Lisboa|PT|1100,Zürich|CH|8001"
)
_STREETS = (
    "Main Street,Station Road,Rue de l'Église,Hauptstraße,Calle Mayor,Via Roma,Market Square,Kerkstraat"
)
_CATEGORIES = "Kitchen|18,Garden|35,Books|14,Toys|22,Electronics|140,Sports|60,Office|11,Clothing|45"
_THINGS = (
    "Kettle;Pan;Knife;Bowl;Grater|Shovel;Hose;Bench;Lantern;Planter|Novel;Atlas;Diary;Cookbook;Comic|"
    "Puzzle;Robot;Kite;Blocks;Doll|Headphones;Keyboard;Camera;Speaker;Charger|"
    "Racket;Helmet;Ball;Mat;Bottle|Pen;Folder;Stapler;Lamp;Notebook|Shirt;Jacket;Socks;Scarf;Hat"
)
_ADJECTIVES = "Plain,Bright,Sturdy,Light,Classic,Compact,Nordic,Vintage,Premium,Handy"
_NOTES = 'Please ring twice,Gift wrapping,Leave with the neighbour,"Fragile" sticker,Call before delivery'


def _list(text: str, separator: str = ",") -> str:
    return "string_split('" + text.replace("'", "''") + f"', '{separator}')"


#: Read once per connection, after ``seed``, ``customers`` and ``products`` are set as variables.
MACROS = f"""
create macro u(salt, a, b) as
  (hash(getvariable('seed')::bigint, salt, a::bigint, b::bigint) >> 11)::double / 9007199254740992.0;
create macro whole(salt, a, b, n) as floor(u(salt, a, b) * n)::bigint;
create macro pick(items, salt, a, b) as items[1 + whole(salt, a, b, len(items))];
create macro dirty(dataset, a, b, dirt, kinds) as
  case when u('dirt ' || dataset, a, b) < dirt then pick(kinds, 'kind ' || dataset, a, b) else '' end;
create macro fold(word) as replace(replace(strip_accents(lower(word)), '''', ''), ' ', '');

create macro n_lines(o) as 1 + floor(pow(u('lines', o, 0), 2) * 5)::bigint;
create macro product_of(o, k) as 1 + floor(pow(u('product', o, k), 1.7) * getvariable('products'))::bigint;
create macro quantity_of(o, k) as 1 + floor(pow(u('quantity', o, k), 3) * 6)::bigint;
create macro category_of(p) as 1 + whole('category', p, 0, 8);
create macro list_cents(p) as greatest(99, round(
  string_split({_list(_CATEGORIES)}[category_of(p)], '|')[2]::double * (0.4 + 1.6 * u('price', p, 0))
  * 20)::bigint * 5 - 1);
-- Prices are looked at once a week; one in ten moves, by up to a tenth.
create macro cents_of(p, week) as case when u('reprice', p, week) < 0.1
  then round(list_cents(p) * (0.9 + 0.2 * u('factor', p, week)))::bigint else list_cents(p) end;
create macro discount_of(o) as case when u('discount', o, 0) < 0.2
  then (1 + whole('discount', o, 1, 3)) * 5 else 0 end;
create macro total_cents(o, week) as round(list_sum(list_transform(generate_series(1, n_lines(o)),
  lambda k: quantity_of(o, k) * cents_of(product_of(o, k), week))) * (100 - discount_of(o)) / 100.0)::bigint;
create macro customer_of(o, existing) as 1 + floor(pow(u('customer', o, 0), 2.2) * existing)::bigint;
create macro channel_of(o) as case when u('channel', o, 0) < 0.6 then 'web'
  when u('channel', o, 0) < 0.9 then 'store' else 'phone' end;
create macro placed_at(o, day) as day::timestamp
  + to_seconds(25200 + floor((u('time', o, 0) + u('time', o, 1)) * 25200)::bigint);

-- An order's life: its status *age* days after it was placed.
create macro paid_age(o) as floor(u('paid', o, 0) * 1.3)::bigint;
create macro shipped_age(o) as paid_age(o) + 1 + whole('shipped', o, 0, 2);
create macro delivered_age(o) as shipped_age(o) + 1 + whole('delivered', o, 0, 2);
create macro status_of(o, age) as case
  when age < 0 then ''
  when u('fate', o, 0) < 0.05 and age > paid_age(o) then 'cancelled'
  when u('fate', o, 0) between 0.05 and 0.08 and age > delivered_age(o) then 'refunded'
  when age >= delivered_age(o) then 'delivered'
  when age >= shipped_age(o) then 'shipped'
  when age >= paid_age(o) then 'paid'
  else 'new' end;

create macro csv_field(value) as case when regexp_matches(value, '[",;\n]')
  then '"' || replace(value, '"', '""') || '"' else coalesce(value, '') end;
"""


def _kinds(dataset: str) -> str:
    return "[" + ", ".join(f"'{kind}'" for kind in DIRT[dataset]) + "]"


def customers() -> str:
    """Customers that registered or moved on ``$day`` (number ``$n``): one line of text each.

    ``$first`` to ``$last`` are the ids registered that day; older ones may have moved.
    """
    return f"""
with changed as (
  select i, i < $first as moved from range(1, $last + 1) t(i)
  where i >= $first or ($n > 0 and u('move', i, $n) < 0.004)
), valued as (
  select i, dirty('customers', i, $n, $dirt, {_kinds("customers")}) as kind,
    pick({_list(_FIRST)}, 'first', i, 0) as first_name,
    pick({_list(_LAST)}, 'last', i, 0) as last_name,
    string_split(pick({_list(_CITIES)}, 'city', i, if(moved, $n, -1)), '|') as place,
    pick({_list(_STREETS)}, 'street', i, if(moved, $n, -1)) || ' '
      || (1 + whole('number', i, if(moved, $n, -1), 180)) as street,
    $day + to_seconds(whole('registered', i, $n, 86400)) as updated_at,
  from changed
)
select kind, concat_ws(';', i, csv_field(first_name),
  if(kind = 'no_name', '', csv_field(last_name)),
  case kind when 'bad_email' then fold(first_name) || '.' || i || '.example.com'
    when 'untidy' then '  ' || upper(fold(first_name)) || '.' || i || '@Example.COM '
    else fold(first_name) || '.' || fold(last_name) || i || '@example.com' end,
  '+' || (30 + whole('phone', i, 0, 19)) || ' ' || (100 + whole('phone', i, 1, 900))
    || ' ' || lpad(whole('phone', i, 2, 1000000)::varchar, 6, '0'),
  csv_field(street), place[1], place[3], if(kind = 'unknown_country', 'XX', place[2]),
  if(kind = 'future_birth', '01.01.2101',
    strftime(date '1940-01-01' + whole('birth', i, 0, 24000)::int, '%d.%m.%Y')),
  case when u('segment', i, 0) < 0.1 then 'business' else 'private' end,
  strftime(updated_at, '%Y-%m-%d %H:%M:%S')) as line
from valued, range(if(kind = 'duplicate', 2, 1)) order by updated_at, i, line
"""


CUSTOMERS_HEADER = (
    "Customer ID;First Name;Last Name;E-Mail;Phone;Street;City;Postal Code;Country;Birth Date;"
    "Segment;Updated At"
)


def products() -> str:
    """All products as of ``$day`` in week ``$week``; ``kind`` beside the columns."""
    return f"""
select p as product_id, 'SKU-' || lpad(p::varchar, 6, '0') as sku,
  if(kind = 'no_name', null, pick({_list(_ADJECTIVES)}, 'adjective', p, 0) || ' '
    || pick(string_split(string_split('{_THINGS}', '|')[category_of(p)], ';'), 'thing', p, 0)) as name,
  string_split({_list(_CATEGORIES)}[category_of(p)], '|')[1] as category,
  (if(kind = 'negative_price', -1, 1) * cents_of(p, $week) / 100.0)::decimal(10,2) as list_price,
  (list_cents(p) * (0.4 + 0.3 * u('cost', p, 0)) / 100.0)::decimal(10,2) as cost,
  {{'colour': pick(['red', 'green', 'blue', 'black', 'white'], 'colour', p, 0),
    'weight_g': 50 + whole('weight', p, 0, 5000)}} as attributes,
  list_filter(['new', 'sale', 'bestseller', 'eco'], lambda tag: u(tag, p, 0) < 0.25) as tags,
  u('active', p, $week) > 0.03 as active, kind
from (select p, dirty('products', p, $week, $dirt, {_kinds("products")}) as kind
      from range(1, getvariable('products') + 1) t(p))
order by p
"""


def stores() -> str:
    """The shop's twelve stores."""
    return f"""
select s as store_id, 'Store ' || place[1] as name, place[1] as city, place[2] as country,
  strftime(date '2005-01-01' + whole('opened', s, 0, 6000)::int, '%Y-%m-%d') as opened_on,
  200 + 10 * whole('size', s, 0, 180) as square_metres
from (select s, string_split({_list(_CITIES)}[s], '|') as place from range(1, 13) t(s)) order by s
"""


ORDERS_HEADER = (
    "order_id,customer_id,store_id,channel,status,ordered_at,updated_at,currency,discount_percent,note"
)


def orders(placed: str) -> str:
    """Orders whose status is new on ``$day``: lines of text.

    *placed* are literal rows ``(age, first, last, existing, week)``: how long ago orders were
    placed, the ids placed then and the customers known then.
    """
    return f"""
with changed as (
  select o, age, existing, status_of(o, age) as status,
    dirty('orders', o, age, $dirt, {_kinds("orders")}) as kind,
    placed_at(o, $day - age) as ordered_at,
    if(u('note', o, 0) < 0.05, pick({_list(_NOTES)}, 'note', o, 1), '') as note,
  from (values {placed}) p(age, first, last, existing, week), lateral (select unnest(range(first, last + 1)) as o)
  where status_of(o, age) <> status_of(o, age - 1)
), lines as (
  select kind, ordered_at, o,
    o || ',' || if(kind = 'no_customer', '', customer_of(o, existing)::varchar) || ','
    || if(channel_of(o) = 'store', (1 + whole('store', o, 0, 12))::varchar, '') || ','
    || channel_of(o) || ','
    || if(kind = 'bad_status', pick(['shiped', 'PAYED', '?'], 'status', o, age), status) as head,
    ',' || if(kind = 'bad_date',
      pick(['2024-02-31 10:00:00', 'yesterday', '0000-00-00 00:00:00'], 'date', o, age),
      strftime(ordered_at, '%Y-%m-%d %H:%M:%S'))
    || ',' || strftime(if(age = 0, ordered_at + to_seconds(whole('updated', o, 0, 3600)),
      $day + to_seconds(whole('updated', o, age, 86400))), '%Y-%m-%d %H:%M:%S')
    || ',EUR,' || discount_of(o) || ','
    -- A private-use letter marks where the writer puts a byte that is no UTF-8.
    || if(kind = 'bad_encoding', 'caf' || chr(57344), csv_field(note)) as tail,
  from changed
)
select kind, head || if(kind = 'short_line', '', tail) || if(kind = 'long_line', ',?', '') as line
from lines, range(if(kind = 'duplicate', 2, 1)) order by ordered_at, o
"""


def order_lines() -> str:
    """The lines of the orders ``$first`` to ``$last`` placed on ``$day``; ``kind`` beside the columns."""
    return f"""
select if(kind = 'orphan', 900000000 + o, o)::bigint as order_id, k::int as line_no,
  if(kind = 'no_product', null, product_of(o, k))::bigint as product_id,
  if(kind = 'bad_quantity', -whole('zero', o, k, 3), quantity_of(o, k))::int as quantity,
  (cents_of(product_of(o, k), $week) * if(kind = 'absurd_price', 1000, 1) / 100.0)::decimal(12,2) as unit_price,
  $day as sold_on, kind
from (select o, k, dirty('order_lines', o, k, $dirt, {_kinds("order_lines")}) as kind
      from range($first, $last + 1) t(o), lateral (select unnest(generate_series(1, n_lines(o))) as k)),
  range(if(kind = 'duplicate', 2, 1))
order by o, k
"""


def payments(placed: str) -> str:
    """Payments received on ``$day``: lines of JSON; *placed* as for :func:`orders`."""
    return f"""
with paid as (
  select o, dirty('payments', o, 0, $dirt, {_kinds("payments")}) as kind, total_cents(o, week) / 100.0 as amount,
    pick(['card', 'card', 'card', 'transfer', 'wallet'], 'method', o, 0) as method,
    greatest($day::timestamp, placed_at(o, $day - age)) + to_seconds(whole('received', o, 0, 3000)) as paid_at,
  from (values {placed}) p(age, first, last, existing, week), lateral (select unnest(range(first, last + 1)) as o)
  where paid_age(o) = age
), documents as (
  select kind, paid_at, o, to_json({{
    'payment_id': 'pay_' || lpad(to_hex(hash(getvariable('seed')::bigint, 'payment', o)), 16, '0'),
    'order_id': if(kind = 'orphan', 900000000 + o, o),
    'amount': case kind when 'text_amount' then to_json(replace(printf('%.2f', amount), '.', ','))
      when 'negative_amount' then to_json(-amount) else to_json(amount) end,
    'currency': 'EUR',
    'paid_at': strftime(paid_at, '%Y-%m-%dT%H:%M:%SZ'),
    'method': {{'type': method,
      'brand': if(method = 'card', pick(['visa', 'mastercard', 'amex'], 'brand', o, 0), null),
      'last4': if(method = 'card', lpad(whole('last4', o, 0, 10000)::varchar, 4, '0'), null)}}
  }})::varchar as document
  from paid
)
select kind, if(kind = 'broken_json', left(document, len(document) // 2), document) as line
from documents, range(if(kind = 'duplicate', 2, 1)) order by paid_at, o
"""


def events() -> str:
    """The events ``$first`` to ``$last``, ``$rate`` a second from ``$start``: columns and JSON text.

    Sessions of about eight events run side by side; a session looks at products and may order.
    Mistakes: an event twice, one that is late, one without a customer, JSON that breaks off.
    """
    return """
with numbered as (
  select e, e // 400 * 50 + hash(e, 'lane') % 50 as session from range($first, $last + 1) t(e)
), valued as (
  select e, session, 1 + whole('visitor', session, 0, getvariable('customers')) as customer_id,
    dirty('events', e, 0, $dirt, ['duplicate', 'late', 'no_customer', 'broken_json']) as kind,
    case when u('type', e, 0) < 0.62 then 'view' when u('type', e, 0) < 0.80 then 'click'
      when u('type', e, 0) < 0.92 then 'add_to_cart' when u('type', e, 0) < 0.97 then 'search' else 'order' end as type,
    1 + floor(pow(u('seen', e, 0), 1.7) * getvariable('products'))::bigint as product_id,
    $start + to_microseconds(floor(e * 1000000.0 / $rate)::bigint) as happened_at,
  from numbered
), typed as (
  select 'evt_' || lpad(to_hex(hash(getvariable('seed')::bigint, 'event', e)), 16, '0') as event_id, type,
    'ses_' || lpad(session::varchar, 10, '0') as session_id,
    if(kind = 'no_customer', null, customer_id) as customer_id,
    if(type = 'search', null, product_id) as product_id,
    if(type = 'order', cents_of(product_id, 0) / 100.0, null)::decimal(10,2) as amount,
    pick(['mobile', 'desktop', 'tablet'], 'device', session, 0) as device,
    if(kind = 'late', happened_at - to_seconds(60 + whole('late', e, 0, 7200)), happened_at) as happened_at,
    kind, e
  from valued
)
select * exclude (kind, e, copy, document), kind,
  if(kind = 'broken_json', left(document, len(document) // 2), document) as payload
from (select *, to_json({'event_id': event_id, 'type': type, 'session_id': session_id, 'customer_id': customer_id,
    'product_id': product_id, 'amount': amount, 'device': device,
    'happened_at': strftime(happened_at, '%Y-%m-%dT%H:%M:%S.%fZ')})::varchar as document from typed),
  range(if(kind = 'duplicate', 2, 1)) r(copy)
order by e
"""
