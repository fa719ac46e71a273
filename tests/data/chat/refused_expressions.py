"""Expressions that no template may have: what is changed, unknown, called wrongly or no expression at all."""

REFUSED_EXPRESSIONS = """
list_.append(1)
dict_.update({})
dict_.pop('a')
text | nofilter
text | e
text | batch(2)
text is notest
nofunction()
text()
seven(1)
missing()
dict_.a()
range(1, 2, 3, 4)
range(stop=3)
text.split(',', ',')
text | upper(1)
text | default(1, 2, 3)
text | join(bad=1)
1 = 2
a b
1 +
(1
[1, 2
{1: 2
'a
1 ! 2
1 ? 2
a.
a[
a[]
a[1:2:3:4]
|
| upper
is defined
if
{{
""".strip("\n")
