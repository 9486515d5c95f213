"""Public logs' own forms, a few rows each, read with no flag but the path, or those named here."""

import gzip

import pytest

from tests.data.logs import read_both

FORMS = {
    "REES46": (
        "2019-Oct.csv",
        """
event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session
2019-10-01 00:00:05 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde
2019-10-01 00:00:01 UTC,view,3900821,2053013552326770905,appliances.heater,aqua,33.20,541312140,72
2019-10-01 00:01:04 UTC,purchase,1307067,2053013558920217191,computers.notebook,,251,541312140,72
""",
        {"541312140": ["3900821", "44600062", "1307067"]},
        "columns: user = user_id, item = product_id, time = event_time",
    ),
    "H&M": (
        "transactions_train.csv",
        """
t_dat,customer_id,article_id,price,sales_channel_id
2018-09-20,000058a1,0663713001,0.0508,2
2018-09-20,000058a1,0541518023,0.0304,2
2018-09-19,000058a1,0505221004,0.0152,2
""",
        {"000058a1": ["0505221004", "0663713001", "0541518023"]},
        "columns: user = customer_id, item = article_id, time = t_dat",
    ),
    "RetailRocket": (
        "events.csv",
        """
timestamp,visitorid,event,itemid,transactionid
1433224214164,257597,view,355908,
1433221332117,257597,view,248676,
1433223236124,257597,transaction,318965,4000
""",
        {"257597": ["248676", "318965", "355908"]},
        "column event is not used (view, transaction): all its events count alike",
    ),
    "Yoochoose": (
        "yoochoose-clicks.dat",
        """
1,2014-04-07T10:51:09.277Z,214536502,0
1,2014-04-07T10:54:09.868Z,214536500,0
1,2014-04-07T10:54:46.998Z,214536506,S
""",
        {"1": ["214536502", "214536500", "214536506"]},
        "columns: user = 1, item = 3, time = 2",
    ),
    "Last.fm": (
        "lastfm.tsv",
        """
userid	timestamp	artist-id	artist-name	track-id	track-name
user_01	2009-05-04T23:08:57Z	f1b1cf71	Deep Dish		Fuck Me Im Famous
user_01	2009-05-04T13:54:10Z	a7f7df4a	Underworld	dc394163	Boy, Boy, Boy
user_01	2009-05-04T13:52:04Z	a7f7df4a	Underworld	72339a76	Crocodile
user_01	2009-05-04T13:42:52Z	a7f7df4a	Underworld	3b8a5e42	Pearl's Girl
""",
        {"user_01": ["3b8a5e42", "72339a76", "dc394163"]},
        "left out: 1 row without an item",
    ),
    "Steam": (
        "recommendations.csv",
        """
app_id,helpful,funny,date,is_recommended,hours,user_id,review_id
975370,0,0,2022-12-12,true,36.3,51580,0
304390,4,0,2017-02-17,false,11.5,51580,1
1085660,2,0,2019-11-17,true,336.5,51580,2
""",
        {"51580": ["304390", "1085660", "975370"]},
        "columns: user = user_id, item = app_id, time = date",
    ),
    "Steam, 200k": (
        "steam-200k.csv",
        """
151603712,"The Elder Scrolls V Skyrim",purchase,1.0,0
151603712,"Fallout 4",purchase,1.0,0
151603712,"Spore",play,14.9,0
""",
        {"151603712": ["The Elder Scrolls V Skyrim", "Fallout 4", "Spore"]},
        "columns: user = 1, item = 2",
    ),
    "gorse": (
        "feedback.csv",
        """
feedback_type,user_id,item_id,time_stamp
star,alice,repo:1,2021-02-03 10:00:00 +0000 UTC
read,alice,repo:3,2021-02-03 12:00:00 +0000 UTC
read,alice,repo:2,2021-02-03 11:00:00.25 +0000 UTC
""",
        {"alice": ["repo:1", "repo:2", "repo:3"]},
        "column feedback_type is not used (read, star)",
    ),
    "gorse's interface": (
        "feedback.jsonl",
        '{"FeedbackType":"read","UserId":"u","ItemId":"x","Timestamp":"2021-02-03T10:00:00Z"}\n'
        '{"FeedbackType":"read","UserId":"u","ItemId":"z","Timestamp":"2021-02-03T12:00:00Z"}\n'
        '{"FeedbackType":"like","UserId":"u","ItemId":"y","Timestamp":"2021-02-03T11:00:00Z"}\n',
        {"u": ["x", "y", "z"]},
        "columns: user = UserId, item = ItemId, time = Timestamp",
    ),
    "Amazon": (
        "reviews.json",
        '{"reviewerID":"A1","asin":"B01","overall":5.0,"helpful":[0,0],"unixReviewTime":1315526400}\n'
        '{"reviewerID":"A1","asin":"B02","overall":4.0,"helpful":[0,0],"unixReviewTime":1315440000}\n'
        '{"reviewerID":"A1","asin":"B03","overall":1.0,"helpful":[1,2],"unixReviewTime":1315612800}\n',
        {"A1": ["B02", "B01", "B03"]},
        "columns: user = reviewerID, item = asin, time = unixReviewTime",
    ),
    "Criteo's sponsored search": (
        "CriteoSearchData.tsv",
        "Sale\tclick_timestamp\tproduct_price\tproduct_id\tuser_id\n"
        "0\t1598891820\t0.0\tP1\tU\n1\t1598925284\t9.5\tP3\tU\n0\t1598891890\t0.0\tP2\tU\n",
        {"U": ["P1", "P2", "P3"]},
        "columns: user = user_id, item = product_id, time = click_timestamp",
    ),
    "Book-Crossing": (
        "BX-Book-Ratings.csv",
        '"User-ID";"ISBN";"Book-Rating"\n"276725";"034545104X";"0"\n'
        '"276725";"0155061224";"5"\n"276725";"0446520802";"0"\n',
        {"276725": ["034545104X", "0155061224", "0446520802"]},
        "there is no time: items are taken in the order in which they stand",
    ),
    "Diginetica": (
        "train-item-views.csv",
        "sessionId;userId;itemId;timeframe;eventdate\n1;NA;81766;526309;2016-05-09\n"
        "1;NA;31331;1031018;2016-05-09\n1;NA;32118;243569;2016-05-09\n2;7;9;1;2016-05-09\n",
        {"session:1": ["81766", "31331", "32118"]},
        "columns: user = userId, item = itemId, time = eventdate, session = sessionId",
    ),
}  # fmt: skip  # a table

FLAGS = {
    "Yoochoose": {"user": "1", "time": "2", "item": "3"},
    "Steam, 200k": {"user": "1", "item": "2"},
    "Diginetica": {"session": "sessionId"},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_public_log_is_read_as_it_comes(tmp_path, form):
    name, text, expected, said = FORMS[form]
    path = tmp_path / name
    path.write_text(text.removeprefix("\n"))
    log = read_both(path, **FLAGS.get(form, {}))
    assert log.sequences() == expected
    assert said in "\n".join((*log.warnings, *log.notes))
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert read_both(packed, **FLAGS.get(form, {})).sequences() == expected
