"""Expressions over the variables of context.py, each as a template of its own: operators, and those of other files."""

from call_expressions import CALL_EXPRESSIONS
from refused_expressions import REFUSED_EXPRESSIONS

_VALUES = """none_ yes no zero seven half big tiny text empty spaces wide quotes list_ nested nothing dict_ missing
 1 -3 0.1 1e300 'x' "y" [] () (1,) (1,2) {} [1,'a',none,true,1.0] {'k':'v',1:2} none True""".split()

_OPERATORS = """
1 + 2 * 3 - 4
(1 + 2) * 3
7 / 2
7 // 2
-7 // 2
7 // -2
-7 % 3
7 % -3
7.5 // 2
-7.5 // 2
-7.5 % 2
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
2 ** 0.5
0.1 + 0.2
1 / 3
100000000000000000.0
1e22
123456789012345680.0
1.0
1.5e-7
3 % 0
3 / 0
3 // 0
3.0 % 0
1 + 'a'
'a' + 1
'a' + 'b'
'a' * 3
3 * 'ab'
'a' * -1
[1] + [2]
[1] * 2
(1,) + (2,)
[1] + (2,)
{} + {}
none + 1
missing + 1
missing ~ 'x'
1 ~ none ~ true ~ [1, 'a'] ~ {}
'a' ~ 1.0
'a' 'b' "c"
1 < 2
1 < 2 < 3
1 < 3 < 2
'a' < 'b'
'a' < 1
[1, 2] < [1, 3]
[1] < ['a']
1 == 1.0
1 == true
'1' == 1
none == false
missing == missing
missing == none
[1] == (1,)
[1, [2]] == [1, [2]]
{'a': 1} == {'a': 1.0}
1 != 2
1 >= 1
2 <= 1
not 1
not none
not missing
not not 'a'
1 and 2
0 and 2
0 or 'x'
none or false
'a' or missing.x
1 in [1, 2]
'1' in [1, 2]
'ell' in text
'' in text
1 in text
'a' in dict_
1 not in [1]
'x' in missing
missing in text
missing in [1]
1 in 1
'a' in none
'yes' if 1 else 'no'
'yes' if 0 else 'no'
'yes' if 0
('yes' if 0) is defined
1 if 0 else 2 if 0 else 3
text[0]
text[-1]
text[100]
text[1:4]
text[:-3]
text[::-1]
text[::2]
text[10:2:-3]
text[-100:100]
text[3:3]
text[none:2]
text['x']
text.x
text.0
wide[1]
wide[-1]
wide[6:8]
wide[::-1]
wide | length
list_[0]
list_[-1]
list_[5]
list_[1:]
list_[::-1]
list_[9:]
list_[true]
list_['a']
list_.x
list_[0:2:0]
list_['a':]
(1, 2, 3)[1:]
dict_.a
dict_['b']
dict_['zz']
dict_.zz
dict_.zz.y
dict_.d[1]
dict_.d.1
dict_[1]
dict_[[1]]
none_.x
none_['x']
seven.x
missing.x
missing['x']
missing[0]
items['items']
items.get('items')
nested[1][1]
nested[0].0
[1, 2, 3,]
{'a': 1, 'b': [1, {'c': none}],}
{'a': 1, 'a': 2}
{1: 'a', true: 'b'}
{[1]: 2}
()
(1)
(1,)
1, 2
[]
{}
'it\\'s'
"a\\nb"
'\\x41\\u4f60\\U0001f600\\101\\q'
'a\\
b'
[quotes]
["it's", 'say "x"', 'both \\' "']
['\\x00\\x7f\\x85\\xa0\\xad\\u200b\\u2028\\u4f60\\U0001f600\\t\\r']
[1.0, 1e16, 1e-5, 12345678.9, -0.0]
0x1F + 0b101 + 0o17
1_000_000
00
1_0.5
1e3
.5
1.
+ 5
- - 5
-(3)
+ 'a'
- true
~ 1
""".strip("\n")

_ALL = f"{_OPERATORS}\n{CALL_EXPRESSIONS}\n{REFUSED_EXPRESSIONS}"
EXPRESSIONS = (
    ["{{ " + value + " }}" for value in _VALUES]
    + ["{{ [" + value + "] }}" for value in _VALUES]
    + ["{{ 'T' if " + value + " else 'F' }}" for value in _VALUES]
    + ["{{ " + expression + " }}" for expression in _ALL.replace("\\\nb", "\\\x00b").splitlines() if expression]
)
EXPRESSIONS = list(dict.fromkeys(text.replace("\x00", "\n") for text in EXPRESSIONS))
