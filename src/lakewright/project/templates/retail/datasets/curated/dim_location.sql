-- Where things are sold: the stores, and the places without one.
select store_id, name as store, city, country, square_metres from processed.stores
