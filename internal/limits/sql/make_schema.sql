create schema if not exists limits
