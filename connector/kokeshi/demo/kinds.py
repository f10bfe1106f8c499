"""The kinds of things that the generated fashion catalogue sells, as tables.

A kind is what a product truly is. Kinds on one shelf can stand in for each other (a coat for a
jacket); many names borrow words from another shelf (dress shoes, shirt dress, boot bag), which is
what makes hard negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

from kokeshi.demo.vocabulary import parse_rows, split_words


@dataclass(frozen=True)
class Profile:
    """What the kinds of one group can be made of, do and be used for: keys of the vocabulary."""

    materials: tuple[str, ...]
    features: tuple[str, ...]
    occasions: tuple[str, ...]
    genders: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of product.

    key: hidden name. shelf: the `type` field. category: the `category` field.
    price: the median, in EUR. listed, asked: the words of shops and of queries.
    """

    key: str
    shelf: str
    category: str
    price: float
    listed: tuple[str, ...]
    asked: tuple[str, ...]
    profile: Profile


CATEGORIES = {
    "clothing": "coats and jackets, knitwear, tops, shirts, dresses, skirts, trousers, sportswear, "
    "suits, swimwear, nightwear",
    "shoes": "sports shoes, boots, sandals, formal shoes, slippers",
    "bags": "backpacks, handbags, luggage, small leather goods",
    "accessories": "headwear, scarves and gloves, belts and ties, eyewear, jewellery, watches, "
    "socks, umbrellas, shoe accessories",
}

_PROFILE_TABLE = """
outer   | polyester, nylon, cotton, wool, denim, leather, vegan
> waterproof, windproof, warm, light, packable, reflective, recycled
> everyday, hiking, travel, cycling, skiing, office, school
> women, men, girls, boys, unisex
smart   | wool, linen, cotton, velvet, polyester, silk
> stretch, easy_care, light, warm, soft
> office, wedding, party, everyday
> women, men
knit    | wool, cashmere, cotton, viscose, polyester
> warm, soft, recycled, light, easy_care
> everyday, office, home, skiing, party
> women, men, girls, boys
top     | cotton, linen, viscose, polyester, silk
> breathable, soft, stretch, quick_dry, easy_care, recycled, light
> everyday, office, gym, beach, travel, school
> women, men, girls, boys, unisex
ladies  | cotton, linen, viscose, silk, velvet, polyester
> light, soft, easy_care, stretch, warm, recycled
> everyday, office, wedding, party, beach
> women, girls
bottom  | cotton, linen, wool, corduroy, polyester, denim
> stretch, easy_care, warm, light, quick_dry, waterproof
> everyday, office, travel, hiking, school, cycling
> women, men, girls, boys
sport   | polyester, nylon, cotton, viscose, fleece
> stretch, quick_dry, breathable, warm, reflective, recycled, soft
> running, gym, cycling, everyday, home
> women, men, girls, boys, unisex
swim    | nylon, polyester
> quick_dry, uv, stretch, recycled
> beach, gym, travel
> women, girls
trunks  | nylon, polyester, cotton
> quick_dry, uv, stretch, recycled
> beach, gym, travel
> men, boys
tie     | silk, wool, linen, cotton
> easy_care, soft, recycled
> office, wedding, party, school
> men, boys
night   | cotton, viscose, silk, fleece, velvet
> soft, warm, light, breathable
> home, travel
> women, men, girls, boys
trainer | mesh, leather, suede, canvas, vegan
> cushioned, breathable, waterproof, light, grip, wide, reflective, recycled
> running, gym, everyday, hiking, school, travel
> women, men, girls, boys, unisex
boot    | leather, suede, rubber, vegan, nylon
> waterproof, warm, grip, wide, cushioned
> hiking, everyday, office, party, school
> women, men, girls, boys
shoe    | leather, suede, vegan, velvet, canvas
> cushioned, wide, light, grip, soft
> office, wedding, party, everyday, beach, home
> women, men
bag     | leather, vegan, canvas, nylon, suede
> waterproof, laptop, secure, light, packable, recycled
> travel, office, school, everyday, gym, cycling, hiking
> women, men, unisex
heel    | leather, suede, vegan, velvet
> cushioned, wide, light, grip, soft
> office, wedding, party, everyday
> women
gear    | canvas, nylon, polyester
> waterproof, light, packable, recycled, secure
> travel, gym, school, everyday, hiking
> women, men, unisex
small   | leather, vegan, nylon, canvas, suede
> secure, light, waterproof, recycled
> travel, office, everyday
> women, men, unisex
rain    | nylon, polyester, canvas
> waterproof, windproof, packable, light, uv, reflective
> everyday, travel, office, beach
> women, men, unisex
insole  | leather, mesh, fleece, canvas
> cushioned, breathable, warm, wide, light
> running, hiking, office, everyday
> women, men, unisex
eyewear | acetate, steel, gold
> uv, light, grip
> beach, cycling, running, everyday, skiing
> women, men, unisex
cover   | wool, cashmere, cotton, fleece, silk, leather, straw
> warm, soft, light, uv, windproof, packable
> skiing, everyday, beach, office, cycling
> women, men, girls, boys, unisex
jewel   | gold, silver, steel, leather, acetate
> light, waterproof, recycled
> wedding, party, everyday, office, beach
> women, men, unisex
"""

_KIND_TABLE = """
jacket      | coats and jackets | 90  | jacket, anorak, windcheater | jacket, windbreaker | outer
coat        | coats and jackets | 150 | coat, overcoat, parka | coat, overcoat | outer
puffer      | coats and jackets | 120 | puffer, padded jacket, quilted blouson | puffer jacket | outer
gilet       | coats and jackets | 60  | gilet, body warmer | gilet, vest, sleeveless jacket | outer
blazer      | suits | 110 | blazer, tailored jacket, suit jacket | blazer, sport coat | smart
suit        | suits | 220 | suit, two-piece, tuxedo | suit, dinner suit | smart
jumper      | knitwear | 55  | jumper, sweater, pullover, knit | jumper, sweater, pullover | knit
cardigan    | knitwear | 60  | cardigan, knitted jacket, button-through knit | cardigan | knit
hoodie      | sportswear | 50  | hoodie, hooded sweatshirt, zip hood | hoodie, hooded sweater | sport
joggers     | sportswear | 42  | joggers, sweatpants, track pants | tracksuit bottoms, joggers | sport
leggings    | sportswear | 35  | leggings, tights, footless tights | leggings, yoga pants | sport
tshirt      | tops | 18  | T-shirt, tee, jersey top | t-shirt, tee, tshirt | top
tank        | tops | 16  | tank top, vest top, singlet | tank top, sleeveless top | top
polo        | shirts | 38  | polo shirt, polo, piqué top | polo, polo shirt | top
shirt       | shirts | 45  | shirt, button-down, Oxford | shirt, button up | top
blouse      | shirts | 48  | blouse, tunic, pussy-bow shirt | blouse, dressy top | ladies
dress       | dresses | 70  | dress, shirt dress, gown, jumper dress | dress, frock | ladies
jumpsuit    | dresses | 75  | jumpsuit, playsuit, all-in-one | jumpsuit, romper | ladies
skirt       | skirts | 45  | skirt, midi, wrap skirt, kilt | skirt | ladies
trousers    | trousers | 55  | trousers, pants, chinos, slacks | trousers, pants | bottom
jeans       | trousers | 70  | jeans, denims, five-pocket | jeans, denim pants | bottom
shorts      | trousers | 32  | shorts, bermudas, short trousers | shorts | bottom
swimsuit    | swimwear | 40  | swimsuit, one-piece, bathing suit | swimsuit, swimming costume | swim
trunks      | swimwear | 28  | swim shorts, board shorts, trunks | swimming trunks, swim shorts | trunks
pyjamas     | nightwear | 38  | pyjamas, sleep set, PJs | pyjamas, pajamas, nightwear | night
robe        | nightwear | 52  | dressing gown, bathrobe, house coat | bathrobe, dressing gown | night
trainers    | sports shoes | 85  | trainers, sneakers, tennis shoes | trainers, sneakers | trainer
spikes      | sports shoes | 95  | football boots, cleats, studs | football boots, soccer shoes | trainer
ankleboots  | boots | 105 | ankle boots, Chelsea boots, booties | ankle boots, boots | boot
hikingboots | boots | 130 | hiking boots, walking boots, mountain shoes | hiking boots | boot
wellies     | boots | 48  | wellington boots, rubber boots, gumboots | wellies, rain boots | boot
sandals     | sandals | 50  | sandals, slides, mules | sandals, open toe shoes | shoe
flipflops   | sandals | 18  | flip-flops, thongs, pool slides | flip flops, beach shoes | shoe
heels       | formal shoes | 80  | heels, pumps, court shoes, stilettos | heels, high heels | heel
loafers     | formal shoes | 95  | loafers, moccasins, slip-ons | loafers, slip on shoes | shoe
brogues     | formal shoes | 120 | brogues, dress shoes, derbies | formal shoes, lace up shoes | shoe
slippers    | slippers | 26  | slippers, house shoes, clogs | slippers, indoor shoes | shoe
backpack    | backpacks | 60  | backpack, rucksack, daypack | backpack, rucksack, knapsack | bag
handbag     | handbags | 90  | handbag, satchel, shoulder bag | handbag, purse | bag
tote        | handbags | 48  | tote, shopper, carryall | tote bag, shopping bag | bag
crossbody   | handbags | 58  | crossbody, messenger, sling | crossbody bag, messenger bag | bag
suitcase    | luggage | 130 | suitcase, trolley, cabin case | suitcase, luggage, carry on | bag
gymbag      | luggage | 45  | holdall, duffel, sports bag | gym bag, duffle bag | gear
bootbag     | luggage | 22  | boot bag, trainer bag, shoe bag | shoe bag | gear
wallet      | small leather goods | 40  | wallet, purse, billfold | wallet, card holder | small
beanie      | headwear | 20  | beanie, knit cap, bobble hat | beanie, woolly hat | cover
cap         | headwear | 22  | cap, snapback, trucker | baseball cap, cap | cover
sunhat      | headwear | 28  | sun hat, fedora, bucket hat | sun hat, summer hat | cover
scarf       | scarves and gloves | 32  | scarf, shawl, snood, wrap | scarf, stole | cover
gloves      | scarves and gloves | 28  | gloves, mittens, mitts | gloves, mittens | cover
belt        | belts and ties | 35  | belt, trouser belt, dress belt | belt | jewel
tie         | belts and ties | 30  | tie, necktie, shirt tie | tie, necktie | tie
sunglasses  | eyewear | 75  | sunglasses, shades, eyewear | sunglasses, shades | eyewear
necklace    | jewellery | 55  | necklace, pendant, chain | necklace, chain | jewel
bracelet    | jewellery | 42  | bracelet, bangle, cuff | bracelet, bangle | jewel
watch       | watches | 140 | watch, dress watch, timepiece | watch, wristwatch | jewel
socks       | socks | 12  | socks, boot socks, trainer liners | socks, ankle socks | sport
umbrella    | umbrellas | 25  | umbrella, brolly, parasol | umbrella, brolly | rain
insoles     | shoe accessories | 14 | trainer insoles, boot liners, shoe inserts | insoles | insole
"""


def _parse_profiles(table: str) -> dict[str, Profile]:
    return {name: Profile(*map(split_words, cells)) for name, *cells in parse_rows(table)}


def _parse_kinds(table: str) -> dict[str, Kind]:
    profiles = _parse_profiles(_PROFILE_TABLE)
    category = {s: name for name, shelves in CATEGORIES.items() for s in split_words(shelves)}
    return {
        key: Kind(
            key=key,
            shelf=shelf,
            category=category[shelf],
            price=float(price),
            listed=split_words(listed),
            asked=split_words(asked),
            profile=profiles[profile],
        )
        for key, shelf, price, listed, asked, profile in parse_rows(table)
    }


KINDS = _parse_kinds(_KIND_TABLE)

POPULAR = (
    "jacket",
    "jumper",
    "dress",
    "trousers",
    "jeans",
    "shirt",
    "tshirt",
    "trainers",
    "handbag",
)
"""Kinds with twice as many models as the others."""
