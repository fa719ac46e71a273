"""Expressions that call methods, filters, tests and functions, over the variables of context.py."""

CALL_EXPRESSIONS = """
text.upper()
text.lower()
text.title()
text.capitalize()
'hELLO wORLD-foo bar_baz 3x'.title()
'hELLO wORLD'.capitalize()
spaces.strip()
spaces.lstrip()
spaces.rstrip()
'xxaxx'.strip('x')
'xyaxy'.strip('yx')
'xxaxx'.lstrip('x')
'xxaxx'.rstrip('x')
'\\u3000a\\xa0'.strip() ~ '|'
'a'.strip(none)
'a'.strip(1)
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
'a,b,,c'.split(',', 0)
'a,b,,c'.rsplit(',', 1)
'a,b,,c'.split(',', maxsplit=2)
'a,b'.split(sep=',')
spaces.split()
spaces.split(none, 1)
spaces.rsplit(none, 1)
spaces.split(none, 0)
''.split()
''.split(',')
'abc'.split('')
'a</think>b</think>c'.split('</think>')[-1]
lines.splitlines()
'a\\r\\nb\\rc\\x0bd\\u2028e\\n'.splitlines()
'a\\nb'.splitlines(true)
text.startswith('Hell')
text.startswith('x')
text.endswith('ld')
text.startswith(('x', 'H'))
text.startswith(1)
text.startswith(['H'])
text.replace('o', '0')
text.replace('o', '0', 1)
text.replace('', '-')
''.replace('', '-')
'abc'.replace('', '-', 2)
'aaa'.replace('aa', 'b')
text.replace('o')
', '.join(words)
', '.join(list_)
', '.join('abc')
''.join([])
','.join(missing)
text.find('World')
text.find('zz')
wide.find('\\u597d')
text.rfind('o')
text.count('o')
text.count('')
'aaaa'.count('aa')
text.removeprefix('Hello')
text.removesuffix('World')
text.removesuffix('')
text.upper(1)
text.strip('a', 'b')
dict_.items() | list
dict_.keys() | list
dict_.values() | list
dict_.get('a')
dict_.get('zz')
dict_.get('zz', 'default')
dict_.get()
dict_.keys() | length
dict_.items() | first
list_.index(1)
list_.index(9)
list_.count(1)
list_.items()
none_.upper()
missing.upper()
text | upper
text | lower
text | title
'a-b (c) [d] {e} <f> g_h i1j' | title
'\\u4f60a \\u3000b\\u00a0c' | title
'\\u4f60a \\u3000b'.title()
text | capitalize
seven | upper
missing | upper
none_ | upper
spaces | trim
spaces | trim('a \\n\\t')
seven | trim
missing | trim
text | length
list_ | length
dict_ | length
missing | length
none_ | length
seven | length
text | count
list_ | join
list_ | join('-')
list_ | join(1)
people | join(', ', attribute='name')
people | join(', ', 'age')
missing | join
none_ | join
nested | join(' ')
list_ | first
nothing | first
(nothing | first) is defined
text | first
list_ | last
nothing | last
dict_ | first
missing | first
missing | last
list_ | reverse | list
text | reverse
wide | reverse
list_ | reverse | first
list_ | reverse | length
list_ | list
text | list
dict_ | list
none_ | list
missing | list
seven | list
list_ | sort
list_ | sort(reverse=true)
words | sort
words | sort(case_sensitive=true)
people | sort(attribute='age') | map(attribute='name') | join(',')
people | sort(true, false, 'name') | map(attribute='name') | join(',')
[1, 'a'] | sort
[1, 1.0, 2, 1] | unique | list
words | unique | list
['a', 'A'] | unique | list
people | unique(attribute='age') | map(attribute='name') | list
list_ | sum
list_ | min
list_ | max
nothing | min
[0.5, 1] | sum
people | sum('age')
people | sum(attribute='age', start=1)
words | sum
missing | default('d')
none_ | default('d')
none_ | default('d', true)
empty | default('d', boolean=true)
missing | default
missing | d('x')
missing.x | default('d')
dict_.zz | default([])
text | replace('o', '0')
text | replace('o', '0', 1)
seven | replace(7, 8)
text | replace('o')
text | string
seven | string
none_ | string
list_ | string
missing | string
(missing | string) == ''
'42' | int
' 42 ' | int
'42.9' | int
'x' | int
'x' | int(7)
'x' | int(default=7)
'ff' | int(base=16)
'1_0' | int
'-5' | int
'+5' | int
3.99 | int
-3.99 | int
true | int
none_ | int
list_ | int
missing | int
'nan' | int
'1e3' | int
'1.5' | float
'x' | float
'x' | float(2)
seven | float
'inf' | float
none_ | float
-3 | abs
(-3) | abs
(-3.5) | abs
'a' | abs
2.5 | round
3.5 | round
2.675 | round(2)
2.65 | round(1)
7 | round
2.1 | round(0, 'ceil')
2.9 | round(method='floor')
2.123 | round(2, 'ceil')
2.5 | round(method='x')
lines | indent
lines | indent(2)
lines | indent(2, true)
lines | indent(2, first=true, blank=true)
lines | indent('> ')
lines | indent(width=1)
'' | indent
seven | indent
dict_ | items | list
missing | items | list
list_ | items | list
dict_ | dictsort
{'b': 1, 'A': 2} | dictsort
{'b': 1, 'A': 2} | dictsort(true)
{'b': 1, 'A': 2} | dictsort(false, 'value')
{'b': 1, 'A': 2} | dictsort(reverse=true)
list_ | dictsort
people | map(attribute='name') | list
people | map(attribute='tags.x') | list
people | map(attribute='tags.x', default='-') | list
people | map(attribute='tags') | list
nested | map(attribute=1) | list
nested | map(attribute='0') | list
words | map('upper') | list
words | map('replace', 'b', 'x') | join
list_ | map('string') | join('+')
words | map('nope') | list
words | map | list
people | selectattr('tags') | map(attribute='name') | list
people | selectattr('age', 'equalto', 7) | map(attribute='name') | list
people | selectattr('age', '==', 3) | list | length
people | selectattr('age', 'gt', 3) | map(attribute='name') | list
people | selectattr('tags', 'defined') | list | length
people | rejectattr('tags', 'defined') | list | length
people | rejectattr('age', 'in', [3]) | list | length
people | selectattr('age', 'nope') | list
people | selectattr('age', 'equalto', 7) | length
list_ | select('odd') | list
list_ | reject('odd') | list
[0, 1, '', 'a', none] | select | list
[0, 1, '', 'a', none] | reject | list
missing | select | list
list_ | select('lt', 3) | list
text | tojson
wide | tojson
html | tojson
quotes | tojson
'\\x00\\x1f\\x7f\\x08\\x0c\\u2028' | tojson
dict_ | tojson
people | tojson
nested | tojson(indent=2)
dict_ | tojson(indent=4)
dict_ | tojson(indent=0)
{'a': {}, 'b': [], 'c': [[]]} | tojson(indent=1)
dict_ | tojson(indent='--')
wide | tojson(true)
wide | tojson(ensure_ascii=true)
dict_ | tojson(separators=(',', ':'))
{'b': 1, 'a': 2} | tojson(sort_keys=true)
{1: 'a', true: 'b', none: 'c', 0.5: 'd'} | tojson
{(1, 2): 3} | tojson
(1, 2) | tojson
[1.0, 1e16, 1e-5, 0.1] | tojson
none_ | tojson
true | tojson
missing | tojson
range(3) | tojson
dict_.items() | tojson
html | safe
(html | safe) + '<'
'<' + (html | safe)
(html | safe) ~ '<'
html | safe | upper + '<'
(dict_ | tojson | safe) if true else html
'<' + (quotes | safe) + '>' + html
(html | safe)[:3] + '&'
(html | safe).replace('a', '<')
(html | safe) | replace('a', '<') + '<'
(html | safe).split('x')[0] + '<'
('<' | safe).join(['>', '&' | safe])
[html, html] | join('<' | safe) + '<'
(html | safe).strip('<') + '<'
(' <' | safe) | trim + '<'
(html | safe) | string + '<'
(html | safe) * 2 + '<'
(html | safe) | tojson
(html | safe) == html
(html | safe) in [html]
(html | safe) is string
(html | safe) | length
(html | safe) | list | first + '<'
[html | safe]
1 | safe + '<'
1 + (1 | safe)
(none_ | safe) + 'x'
(missing | safe) + '<'
{'<': 1}[('<' | safe)]
range(3) | list
range(1, 4) | list
range(5, 0, -2) | list
range(0) | list
range(3)[1]
range(3) | length
range(3) | last
range(1, 5) | sum
range('a')
range(1, 2, 0)
range(100001) | length
range(1.5)
3 in range(5)
dict(a=1, b='x')
dict({'a': 1}, b=2)
dict([('a', 1), ('b', 2)])
dict([1])
dict(1)
namespace(a=1).a
namespace(a=1).b
namespace({'a': 2}).a
namespace(_x=1)
raise_exception('no')
raise_exception is defined
range is defined
strftime_now is defined
strftime_now('%%')
tojson is defined
missing is defined
missing is undefined
missing is not defined
none_ is defined
none_ is none
none_ is not none
text is string
seven is string
list_ is string
seven is number
half is number
true is number
'1' is number
seven is integer
true is integer
1.0 is integer
1.0 is float
true is boolean
1 is boolean
true is true
1 is true
false is false
0 is false
dict_ is mapping
list_ is mapping
list_ is sequence
text is sequence
dict_ is sequence
seven is sequence
missing is sequence
range(2) is sequence
dict_.items() is sequence
(list_ | map('string')) is sequence
(list_ | map('string')) is iterable
list_ is iterable
text is iterable
seven is iterable
none_ is iterable
missing is iterable
dict_ is iterable
range is callable
text is callable
3 is odd
4 is even
4 is odd
9 is divisibleby 3
9 is divisibleby(4)
'a' is odd
'abc' is lower
'ABC' is upper
'a1' is lower
'1' is lower
'aB' is upper
1 is in [1, 2]
3 is in([1, 2])
1 is eq 1
1 is equalto 2
1 is ne 1
1 is lt 2
2 is gt 1
2 is ge(2)
2 is le 1
1 is greaterthan 0
1 is defined and 2 is defined
1 is not divisibleby 2
not missing is defined
missing is not none
text is string and text | length > 3
text is defined is true
(1 if missing is defined else 2)
text | upper | lower | length
text.upper() | lower
text | upper.lower()
(text | upper).lower()
text.upper().lower().split()[0][1:]
-1 | abs
1 + 2 | string ~ 'x'
'%s' % 1
1 if true else missing.x
list_ | length > 2 and text
not list_ | length == 3
1 in [1] == true
'a' if none_ is none and text else 'b'
text and missing
missing or 'x'
loop
self
cycler
varargs
text.format(1)
text.encode()
text.__class__
""".strip("\n")
